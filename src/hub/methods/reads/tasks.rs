//! Questions about tasks and builders. There are no builders; tasks stand for taggings, and are done already.

use super::super::call::{Call, Outcome};
use super::super::generic;
use super::super::table::Method;
use crate::format::xmlrpc::Value;
use crate::hub::TaskFilter;
use crate::hub::store::error::parameter;

fn list_tasks(call: &mut Call<'_, '_>) -> Outcome {
    let mut filter = TaskFilter::default();
    let members = match call.value("opts") {
        Value::Nil => Default::default(),
        Value::Struct(members) => members,
        _ => return Err(parameter("opts is no struct")),
    };
    for (name, value) in members {
        match (name.as_str(), value) {
            ("owner", Value::Int(owner)) => filter.owner = Some(owner),
            ("parent", Value::Nil) => filter.top = true,
            ("method", Value::Text(method)) => filter.method = Some(method),
            ("state", Value::Array(states)) => {
                let number = |state: Value| if let Value::Int(state) = state { Some(state) } else { None };
                filter.states = Some(states.into_iter().filter_map(number).collect());
            }
            // A task is shown with its request as it is.
            ("decode", _) => {}
            (name, _) => return Err(generic(format!("this hub does not select tasks by {name}"))),
        }
    }
    let options = call.options()?;
    let all = call.view()?.list_tasks(&filter, &options)?;
    call.answer(&all)
}

/// The methods.
pub const METHODS: &[Method] = &[
    Method::read("listTasks", "RootExports.listTasks", "opts=None, queryOpts=None", list_tasks),
    Method::read(
        "listHosts",
        "RootExports.listHosts",
        "arches=None, channelID=None, ready=None, enabled=None, userID=None, queryOpts=None",
        |call| call.answer(&[(); 0]),
    ),
    Method::read(
        "listBuildroots",
        "RootExports.listBuildroots",
        "hostID=None, tagID=None, state=None, rpmID=None, archiveID=None, taskID=None, buildrootID=None, repoID=None, queryOpts=None",
        |call| {
            if call.options()?.count_only {
                return call.answer(&0);
            }
            call.answer(&[(); 0])
        },
    ),
];
