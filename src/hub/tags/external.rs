//! External repositories: whose RPMs are in buildroots, and never among those of a tag.

use std::collections::BTreeSet;

use crate::format::xmlrpc::Fault;
use crate::hub::store::change::{Stamp, Write};
use crate::hub::store::database::View;
use crate::hub::store::error::generic;
use crate::hub::store::names::{Key, arches, check_name};
use crate::hub::store::query::{Select, row};

row! {
    /// An external repository (`listExternalRepos`).
    ExternalRepo {
        id: i64 = "external_repo.id",
        name: String = "external_repo.name",
        url: String = "external_repo_config.url",
    }
}

row! {
    /// An external repository of a tag (`getTagExternalRepos`).
    TagExternalRepo {
        arches: Option<String> = "tag_external_repos.arches",
        external_repo_id: i64 = "external_repo.id",
        external_repo_name: String = "external_repo.name",
        merge_mode: String = "tag_external_repos.merge_mode",
        priority: i64 = "tag_external_repos.priority",
        tag_id: i64 = "tag.id",
        tag_name: String = "tag.name",
        url: String = "external_repo_config.url",
    }
}

/// How an external repository is merged into a tag's (koji.REPO_MERGE_MODES).
const MERGE_MODES: [&str; 3] = ["koji", "simple", "bare"];

impl View {
    /// External repositories (`listExternalRepos`).
    ///
    /// # Errors
    /// The database fails.
    pub fn external_repos(
        &self,
        repo: Option<&Key>,
        url: Option<&str>,
        event: Option<i64>,
    ) -> Result<Vec<ExternalRepo>, Fault> {
        let repos = Select::from("external_repo JOIN external_repo_config ON external_repo_id = id");
        let repos = repos.at("external_repo_config", event).order("external_repo.id");
        let condition = if matches!(repo, Some(Key::Name(_))) { "name = ?" } else { "id = ?" };
        repos
            .with(condition, repo.map(Key::value))
            .with("url = ?", url.map(str::to_owned))
            .all(&self.database)
    }

    fn known_repo(&self, repo: &Key) -> Result<ExternalRepo, Fault> {
        let found = self.external_repos(Some(repo), None, None)?.into_iter().next();
        found.ok_or_else(|| generic(format!("No such repo: {}", repo.plain())))
    }

    /// Which tags have which external repositories, by priority (`getTagExternalRepos`).
    ///
    /// # Errors
    /// Tag or repository are not there.
    pub fn tag_external_repos(
        &self,
        tag: Option<&Key>,
        repo: Option<&Key>,
        event: Option<i64>,
    ) -> Result<Vec<TagExternalRepo>, Fault> {
        let tag = tag.map(|tag| self.tag_id(tag)).transpose()?;
        let repo = match repo {
            None => None,
            Some(repo) => match self.external_repos(Some(repo), None, event)?.into_iter().next() {
                Some(found) => Some(found.id),
                None => return Err(generic(format!("No such repo: {}", repo.plain()))),
            },
        };
        let from = "tag_external_repos JOIN tag ON tag.id = tag_external_repos.tag_id
            JOIN external_repo ON external_repo.id = tag_external_repos.external_repo_id
            JOIN external_repo_config ON external_repo_config.external_repo_id = external_repo.id";
        let repos = Select::from(from).at("tag_external_repos", event).at("external_repo_config", event);
        let repos = repos.with("tag.id = ?", tag).with("external_repo.id = ?", repo);
        repos.order("priority, tag.id, external_repo.id").all(&self.database)
    }

    /// The external repositories of a tag and all that it inherits from, each once, in the order of inheritance
    /// (`getExternalRepoList`).
    ///
    /// # Errors
    /// The tag is not there.
    pub fn external_repo_list(&self, tag: &Key, event: Option<i64>) -> Result<Vec<TagExternalRepo>, Fault> {
        let tag = self.known_tag(tag, event)?.id;
        let mut tags = vec![tag];
        tags.extend(self.full_inheritance(tag, event)?.iter().map(|ancestor| ancestor.link.parent_id));
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for tag in tags {
            let repos = self.tag_external_repos(Some(&tag.into()), None, event)?;
            all.extend(repos.into_iter().filter(|repo| seen.insert(repo.external_repo_id)));
        }
        Ok(all)
    }
}

impl Write<'_> {
    /// Makes an external repository (`createExternalRepo`); its URL may have `$arch` in it. Its row.
    ///
    /// # Errors
    /// It is there.
    pub fn create_external_repo(
        &mut self,
        stamp: &Stamp,
        id: Option<i64>,
        name: &str,
        url: &str,
    ) -> Result<ExternalRepo, Fault> {
        self.change(stamp, |change| {
            check_name(name)?;
            if !change.external_repos(Some(&name.into()), None, None)?.is_empty() {
                return Err(generic(format!("An external repo named \"{name}\" already exists")));
            }
            let id = change.lookup_or_create("external_repo", &name.into(), id, true)?.id;
            let url = with_slash(url);
            change.begin("external_repo_config", "external_repo_id, url", &[&id, &url])?;
            Ok(ExternalRepo { id, name: name.to_owned(), url })
        })
    }

    /// Gives a tag an external repository (`addExternalRepoToTag`).
    ///
    /// # Errors
    /// The tag has it, or one of that priority; something is not there.
    pub fn add_external_repo(
        &mut self,
        stamp: &Stamp,
        tag: &Key,
        repo: &Key,
        priority: i64,
        merge_mode: &str,
        of_arches: Option<&str>,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            if !MERGE_MODES.contains(&merge_mode) {
                return Err(generic(format!("No such merge mode: {merge_mode}")));
            }
            let tag = change.known_tag(tag, None)?;
            let repo = change.known_repo(repo)?;
            let of_arches = of_arches.map(|text| arches(&text.replace(',', " "))).transpose()?;
            for other in change.tag_external_repos(Some(&tag.id.into()), None, None)? {
                if other.external_repo_id == repo.id {
                    let text =
                        format!("tag {} already associated with external repo {}", tag.name, repo.name);
                    return Err(generic(text));
                }
                if other.priority == priority {
                    let what = "already associated with an external repo at priority";
                    return Err(generic(format!("tag {} {what} {priority}", tag.name)));
                }
            }
            let columns = "tag_id, external_repo_id, priority, merge_mode, arches";
            change.begin(
                "tag_external_repos",
                columns,
                &[&tag.id, &repo.id, &priority, &merge_mode, &of_arches],
            )
        })
    }

    /// Takes an external repository from a tag (`removeExternalRepoFromTag`).
    ///
    /// # Errors
    /// The tag does not have it; something is not there.
    pub fn remove_external_repo(&mut self, stamp: &Stamp, tag: &Key, repo: &Key) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let (tag, repo) = (change.known_tag(tag, None)?, change.known_repo(repo)?);
            let values: [&dyn rusqlite::ToSql; 2] = [&tag.id, &repo.id];
            if change.end("tag_external_repos", "tag_id = ? AND external_repo_id = ?", &values)? == 0 {
                let text = format!("external repo {} not associated with tag {}", repo.name, tag.name);
                return Err(generic(text));
            }
            Ok(())
        })
    }

    /// Changes an external repository (`editExternalRepo`); its name is not versioned.
    ///
    /// # Errors
    /// It is not there, or the name is taken.
    pub fn edit_external_repo(
        &mut self,
        stamp: &Stamp,
        repo: &Key,
        name: Option<&str>,
        url: Option<&str>,
    ) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let repo = change.known_repo(repo)?;
            if let Some(name) = name.filter(|name| !name.is_empty() && **name != repo.name) {
                check_name(name)?;
                if let Some(other) = change.lookup("external_repo", &name.into())? {
                    let text = format!("name \"{name}\" is already taken by external repo {}", other.id);
                    return Err(generic(text));
                }
                let sql = "UPDATE external_repo SET name = ? WHERE id = ?";
                change.database.execute(sql, rusqlite::params![name, repo.id])?;
            }
            if let Some(url) = url.filter(|url| !url.is_empty() && **url != repo.url) {
                change.end("external_repo_config", "external_repo_id = ?", &[&repo.id])?;
                let url = with_slash(url);
                change.begin("external_repo_config", "external_repo_id, url", &[&repo.id, &url])?;
            }
            Ok(())
        })
    }

    /// Ends an external repository, and takes it from all tags (`deleteExternalRepo`).
    ///
    /// # Errors
    /// It is not there.
    pub fn delete_external_repo(&mut self, stamp: &Stamp, repo: &Key) -> Result<(), Fault> {
        self.change(stamp, |change| {
            let id = change.known_repo(repo)?.id;
            for table in ["tag_external_repos", "external_repo_config"] {
                change.end(table, "external_repo_id = ?", &[&id])?;
            }
            Ok(())
        })
    }

    /// Changes how a tag has an external repository (`editTagExternalRepo`); what is none stays. Whether anything is new.
    ///
    /// # Errors
    /// The tag does not have it, or another one of that priority; something is not there.
    pub fn edit_tag_external_repo(
        &mut self,
        stamp: &Stamp,
        tag: &Key,
        repo: &Key,
        priority: Option<i64>,
        merge_mode: Option<&str>,
        of_arches: Option<&str>,
    ) -> Result<bool, Fault> {
        let tag = self.known_tag(tag, None)?;
        let repo = self.known_repo(repo)?;
        let (tag_key, repo_key) = (Key::Id(tag.id), Key::Id(repo.id));
        let old = self.tag_external_repos(Some(&tag_key), Some(&repo_key), None)?.into_iter().next();
        let Some(old) = old else {
            return Err(generic(format!("external repo {} not associated with tag {}", repo.name, tag.name)));
        };
        let of_arches = of_arches.map(|text| arches(&text.replace(',', " "))).transpose()?;
        let of_arches = of_arches.or_else(|| old.arches.clone());
        let (priority, merge_mode) =
            (priority.unwrap_or(old.priority), merge_mode.unwrap_or(&old.merge_mode));
        if (priority, merge_mode, &of_arches) == (old.priority, &old.merge_mode, &old.arches) {
            return Ok(false);
        }
        self.together(|write| {
            write.remove_external_repo(stamp, &tag_key, &repo_key)?;
            write.add_external_repo(stamp, &tag_key, &repo_key, priority, merge_mode, of_arches.as_deref())
        })?;
        Ok(true)
    }
}

fn with_slash(url: &str) -> String {
    if url.ends_with('/') { url.to_owned() } else { format!("{url}/") }
}
