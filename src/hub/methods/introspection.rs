//! Methods about the hub itself and its methods.

use serde::Serialize;

use super::KOJI_VERSION;
use super::binding::described;
use super::call::{Call, Outcome};
use super::table::{self, Method};
use crate::format::xmlrpc::Value;

/// A method, as `_listapi` lists it.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    doc: Option<String>,
    argdesc: String,
    args: Vec<Value>,
}

fn list_api(call: &mut Call<'_, '_>) -> Outcome {
    let listed = table::all().map(|method| Listed {
        name: method.name,
        doc: None,
        argdesc: format!("({})", method.parameters),
        args: described(method.parameters),
    });
    call.answer(&listed.collect::<Vec<_>>())
}

fn help(call: &mut Call<'_, '_>) -> Outcome {
    let name = call.needed_text("method")?;
    let found = table::find(&name).map(|method| format!("{name}({})", method.parameters));
    call.answer(&found.unwrap_or_default())
}

/// The methods.
pub const METHODS: &[Method] = &[
    Method::read("getAPIVersion", "RootExports.getAPIVersion", "", |call| call.answer(&1)),
    Method::read("getKojiVersion", "RootExports.getKojiVersion", "", |call| call.answer(KOJI_VERSION)),
    Method::read("hello", "RootExports.hello", "*args", |call| call.answer("Hello World")),
    Method::read("echo", "RootExports.echo", "*args", |call| {
        let values = std::mem::take(&mut call.bound.rest);
        call.answer(&values)
    }),
    Method::read("_listapi", "HandlerRegistry.list_api", "", list_api),
    Method::read("system.listMethods", "HandlerRegistry.system_listMethods", "", |call| {
        let names: Vec<_> = table::all().map(|method| method.name).collect();
        call.answer(&names)
    }),
    Method::read("system.methodSignature", "HandlerRegistry.system_methodSignature", "method", |call| {
        call.answer("signatures not supported")
    }),
    Method::read("system.methodHelp", "HandlerRegistry.system_methodHelp", "method", help),
];
