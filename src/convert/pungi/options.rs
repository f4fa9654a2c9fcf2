//! The options of Pungi (4.3, with older and newer names) and what becomes of each.

/// What becomes of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::convert) enum Fate {
    /// It is carried over; where that is not possible as it stands, a note says so.
    Carried,
    /// What is composed does not depend on it here.
    NoEffect(&'static str),
    /// It has no counterpart.
    Lost(&'static str),
}

use Fate::{Carried, Lost, NoEffect};

const SPEED: Fate = NoEffect("how the work is divided, kept and repeated is gander's own affair");
const KOJI_TASKS: Fate = NoEffect("nothing is run in Koji: each step runs in a jail here");
const MEDIA: Fate = Lost("images are described with [[media]] and kickstarts; see docs/recipe.md");
const NAMES: Fate = Lost("files have gander's own names; a volume id is set with 'volume-id' of [[media]]");
const SIGNING: Fate = Lost("what signs is said in [sign]");
const PRODUCT: Fate = Lost("a recipe describes one product, and no other that it is based on");
const CONTAINERS: Fate = Lost("gander makes no containers and no OSTree repositories");
const SERVICES: Fate = NoEffect("gander tells no service about a compose");
const METADATA: Fate = Lost("the metadata of a compose and its media are gander's own");
const MODULES: Fate = Lost(
    "streams are chosen with 'modules' of a variant, what else is said of them by repositories; see docs/recipe.md",
);
const REPODATA: Fate = Lost("[repodata] of a recipe has no such choice");

/// Every option that is known, by what becomes of it.
pub(in crate::convert) const OPTIONS: &[(Fate, &[&str])] = &[
    (
        Carried,
        &[
            "release_name",
            "release_short",
            "release_version",
            "product_name",
            "product_short",
            "product_version",
            "comps_file",
            "variants_file",
            "tree_arches",
            "tree_variants",
            "koji_event",
            "koji_profile",
            "sigkeys",
            "pkgset_source",
            "pkgset_koji_tag",
            "pkgset_koji_inherit",
            "pkgset_koji_builds",
            "pkgset_koji_module_tag",
            "pkgset_repos",
            "gather_method",
            "gather_fulltree",
            "gather_selfhosting",
            "gather_prepopulate",
            "gather_source_mapping",
            "gather_lookaside_repos",
            "greedy_method",
            "multilib",
            "multilib_whitelist",
            "multilib_blacklist",
            "additional_packages",
            "filter_packages",
            "filter_system_release_packages",
            "require_all_comps_packages",
            "check_deps",
            "hashed_directories",
            "createrepo_checksum",
            "createrepo_database",
            "createrepo_use_xz",
            "createrepo_extra_args",
            "release_type",
            "variant_as_lookaside",
            "comps_filter_environments",
        ],
    ),
    (
        SPEED,
        &[
            "gather_allow_reuse",
            "gather_backend",
            "gather_profiler",
            "gather_source",
            "createrepo_c",
            "createrepo_enable_cache",
            "createrepo_num_threads",
            "createrepo_num_workers",
            "pkgset_allow_reuse",
            "signed_packages_retries",
            "signed_packages_wait",
            "link_type",
            "dogpile_cache_arguments",
            "dogpile_cache_backend",
            "dogpile_cache_expiration_time",
            "repoclosure_backend",
            "old_composes_per_release_type",
            "createiso_allow_reuse",
            "extraiso_allow_reuse",
            "image_build_allow_reuse",
            "osbs_allow_reuse",
            "skip_phases",
            "koji_cache",
        ],
    ),
    (
        KOJI_TASKS,
        &[
            "runroot",
            "runroot_channel",
            "runroot_method",
            "runroot_ssh_hostnames",
            "runroot_ssh_init_template",
            "runroot_ssh_install_packages_template",
            "runroot_ssh_run_template",
            "runroot_ssh_username",
            "runroot_tag",
            "runroot_weights",
            "global_runroot_method",
            "lorax_use_koji_plugin",
            "ostree_use_koji_plugin",
            "ostree_installer_use_koji_plugin",
            "translate_paths",
            "buildinstall_topdir",
        ],
    ),
    (
        SERVICES,
        &[
            "cts_keytab",
            "cts_oidc_client_id",
            "cts_oidc_token_url",
            "cts_url",
            "mbs_api_url",
            "pdc_develop",
            "pdc_insecure",
            "pdc_url",
            "osbs_registries",
        ],
    ),
    (
        MEDIA,
        &[
            "bootable",
            "buildinstall_allow_reuse",
            "buildinstall_kickstart",
            "buildinstall_method",
            "buildinstall_packages",
            "buildinstall_skip",
            "buildinstall_use_guestmount",
            "create_jigdo",
            "create_optional_isos",
            "createiso_break_hardlinks",
            "createiso_max_size",
            "createiso_max_size_is_strict",
            "createiso_skip",
            "createiso_use_xorrisofs",
            "extra_files",
            "extra_isos",
            "failable_deliverables",
            "global_ksurl",
            "global_release",
            "global_target",
            "global_version",
            "image_build",
            "image_build_ksurl",
            "image_build_release",
            "image_build_target",
            "image_build_version",
            "imagebuilder",
            "iso_hfs_ppc64le_compatible",
            "iso_level",
            "iso_size",
            "kiwibuild",
            "kiwibuild_bundle_name_format",
            "kiwibuild_description_path",
            "kiwibuild_description_scm",
            "kiwibuild_release",
            "kiwibuild_repo_releasever",
            "kiwibuild_target",
            "kiwibuild_type",
            "kiwibuild_type_attr",
            "kiwibuild_version",
            "live_images",
            "live_images_ksurl",
            "live_images_no_rename",
            "live_images_release",
            "live_images_target",
            "live_images_version",
            "live_media",
            "live_media_ksurl",
            "live_media_release",
            "live_media_target",
            "live_media_version",
            "live_target",
            "lorax_extra_sources",
            "lorax_options",
            "osbuild",
            "osbuild_release",
            "osbuild_target",
            "osbuild_version",
            "productimg",
            "split_iso_reserve",
            "symlink_isos_to",
        ],
    ),
    (
        NAMES,
        &[
            "disc_types",
            "image_name_format",
            "image_volid_formats",
            "image_volid_layered_product_formats",
            "media_checksum_base_filename",
            "media_checksum_one_file",
            "media_checksums",
            "paths_module",
            "restricted_volid",
            "volume_id_substitutions",
        ],
    ),
    (SIGNING, &["signing_command", "signing_key_id", "signing_key_password_file"]),
    (
        PRODUCT,
        &[
            "base_product_name",
            "base_product_short",
            "base_product_type",
            "base_product_version",
            "product_is_layered",
            "release_is_layered",
        ],
    ),
    (
        CONTAINERS,
        &[
            "image_container",
            "osbs",
            "ostree",
            "ostree_container",
            "ostree_installer",
            "ostree_installer_overwrite",
        ],
    ),
    (
        METADATA,
        &[
            "compose_type",
            "product_id",
            "product_id_allow_missing",
            "product_id_allow_name_prefix",
            "product_type",
            "release_discinfo_description",
            "release_internal",
            "treeinfo_version",
        ],
    ),
    (
        MODULES,
        &[
            "filter_modules",
            "module_defaults_dir",
            "module_defaults_override_dir",
            "module_obsoletes_dir",
            "createrepo_extra_modulemd",
            "pkgset_koji_inherit_modules",
            "pkgset_koji_module_builds",
            "pkgset_scratch_modules",
        ],
    ),
    (REPODATA, &["createrepo_deltas"]),
    (
        Lost("scratch builds have no place in a release: take a build that is tagged"),
        &["pkgset_koji_scratch_tasks"],
    ),
    (
        Lost(
            "'noarch' of the source says whose ExclusiveArch counts, and 'noarch' in it counts as Pungi's default has it",
        ),
        &["pkgset_exclusive_arch_considers_noarch"],
    ),
    (Lost("a requirement that nothing provides is always an error"), &["repoclosure_strictness"]),
    (Lost("repositories have what of a comps file is the variant's"), &["keep_original_comps"]),
];

/// Of those without a counterpart, the ones that ask for something when they are `False`.
pub(super) const ON_BY_DEFAULT: &[&str] =
    &["iso_hfs_ppc64le_compatible", "pkgset_exclusive_arch_considers_noarch", "product_id_allow_name_prefix"];

/// What becomes of an option; none where Pungi has none of this name.
pub(super) fn fate(option: &str) -> Option<Fate> {
    OPTIONS.iter().find(|(_, names)| names.contains(&option)).map(|(fate, _)| *fate)
}

/// The option that was probably meant.
pub(super) fn suggest(option: &str) -> Option<&'static str> {
    if option.len() > 64 {
        return None;
    }
    let all = OPTIONS.iter().flat_map(|(_, names)| names.iter().copied());
    let near = all.map(|known| (strsim::damerau_levenshtein(option, known), known));
    near.filter(|(distance, known)| *distance <= 1.max(known.len() / 4)).min().map(|(_, known)| known)
}
