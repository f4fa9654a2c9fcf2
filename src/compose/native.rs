//! Which room carries out which native step.

use std::error::Error;

use crate::plan::StepIo;
use crate::{media, oci, repo, sign};

/// Carries out a native step of this kind; called inside a jail.
pub fn native(kind: &str, io: &StepIo) -> Result<(), Box<dyn Error>> {
    match kind {
        oci::KIND => oci::execute(io)?,
        sign::attach::KIND => sign::attach::execute(io)?,
        repo::KIND => repo::execute(io)?,
        media::TREEINFO => media::execute_treeinfo(io)?,
        _ => return Err(format!("there is no native step '{kind}'").into()),
    }
    Ok(())
}
