//! `gander image show`.

use std::process::ExitCode;

use super::super::output::Format;
use super::super::{Failure, Global};
use super::named;
use crate::oci::Image;

/// Show what an image consists of.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image: its digest in the store, the lock it was built from, or the folder of a layout.
    #[arg(value_name = "IMAGE")]
    image: String,
    /// How the result is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub fn run(global: &Global, args: Args) -> Result<ExitCode, Failure> {
    let store = global.open_store()?;
    let image = Image::load(&store, &named::resolve(&store, &args.image)?)?;
    match args.format {
        Format::Text => print!("{}", text(&image)),
        Format::Json => println!("{:#}", json(&image)),
    }
    Ok(ExitCode::SUCCESS)
}

fn text(image: &Image) -> String {
    let (manifest, config) = (&image.manifest, &image.config);
    let mut lines = vec![
        format!("image     {}", image.name),
        format!("platform  {}/{}", config.os, config.architecture),
        format!("created   {}", config.created.as_deref().unwrap_or("not stated")),
        format!("config    {}", manifest.config.digest),
    ];
    lines.extend(config.env.iter().map(|variable| format!("env       {variable}")));
    for layer in &manifest.layers {
        lines.push(format!(
            "layer     {} {} bytes, {}",
            layer.blob.digest, layer.blob.size, layer.compression
        ));
    }
    // What others wrote may hold anything, even what moves a terminal's cursor.
    lines.iter().map(|line| line.escape_debug().to_string() + "\n").collect()
}

fn json(image: &Image) -> serde_json::Value {
    let (manifest, config) = (&image.manifest, &image.config);
    let layers = manifest.layers.iter().zip(&config.diff_ids).map(|(layer, diff_id)| {
        serde_json::json!({
            "digest": layer.blob.digest,
            "size": layer.blob.size,
            "compression": layer.compression.to_string(),
            "diff_id": diff_id,
        })
    });
    serde_json::json!({
        "image": image.name,
        "architecture": config.architecture,
        "os": config.os,
        "created": config.created,
        "env": config.env,
        "config": manifest.config.digest,
        "layers": layers.collect::<Vec<_>>(),
        "size": manifest.size(),
    })
}
