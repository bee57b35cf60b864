//! `tierproof serve`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::{HeaderValue, Uri};
use inference_wasm::client::router::RouterConfig;
use tokio::net::TcpListener;

use super::failure::{Answer, Failure, say};
use super::runtime;
use crate::fetch::models::Model;
use crate::lab::Project;
use crate::run::exit::Exit;
use crate::serve::{self, Key, Options};

/// The variable that holds the key where no file does.
const KEY_VARIABLE: &str = "TIERPROOF_API_KEY";

const AFTER_HELP: &str = "\
The address is the only line on standard output; the log goes to standard error. Ctrl-C lets running
requests finish and exits with 0; a second one does not wait, and exits with 130.

The key comes from a file or from TIERPROOF_API_KEY, since other users of the machine could read an
argument. Without a key only this machine can reach the server.

Examples:
  tierproof serve                                     every installed model, on a free port
  tierproof serve --model scribe-low-Q8_0 --port 8080
  tierproof serve --allow-origin http://localhost:5173          for a page in development
  tierproof serve --address 0.0.0.0 --port 8080 --key-file key  for other machines, behind TLS

  curl -s localhost:8080/api/v1/generate -H 'content-type: application/json' \\
       -d '{\"prompt\": {\"text\": \"Sentiment: I love this lamp.\"}}'
  curl -sN localhost:8080/api/v1/generate -H 'content-type: application/json' \\
       -d '{\"prompt\": {\"text\": \"Keywords: On Tuesday\"}, \"max_tokens\": 32, \"stream\": true}'
  curl -s localhost:8080/api/v1/openapi.json           the API for programs";

/// Arguments of `tierproof serve`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ServeArgs {
    /// A model to offer, by its name in the catalogue or the path of a GGUF file; repeatable, and the
    /// first one answers requests that name none [default: all that are installed]
    #[arg(long = "model", value_name = "NAME|PATH")]
    models: Vec<String>,
    /// The address to listen on; any but loopback needs a key
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// The port to listen on; 0 lets the system choose
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
    /// A file with the key that callers must send as `Authorization: Bearer KEY`
    /// [default: the value of `TIERPROOF_API_KEY`]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Allow requests from pages of this origin, as in `https://app.example`; repeatable
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    allow_origin: Vec<HeaderValue>,
    /// Requests computed at a time, each with a thread and a copy of its model
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Seconds that a request may wait for its turn
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    queue_timeout: u32,
    /// Seconds that a request may take in total
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..))]
    request_timeout: u32,
    /// Append analytics records of pages to this file, a JSON object a line
    #[arg(long, value_name = "FILE")]
    analytics: Option<PathBuf>,
    /// Route every request to this server, regardless of the device
    #[arg(long)]
    no_browser_inference: bool,
}

impl ServeArgs {
    fn options(&self, project: &Project) -> Result<Options, Failure> {
        let key = self.key()?;
        if key.is_none() && !self.address.is_loopback() {
            return Err(Failure::usage(miette::miette!(
                help = "pass `--key-file FILE`, or set {KEY_VARIABLE}",
                "`--address {}` is open to other machines, expected a key",
                self.address
            )));
        }
        Ok(Options {
            models: self.models(project)?,
            key,
            allow_origins: self.allow_origin.clone(),
            concurrency: self.concurrency.into(),
            queue_timeout: Duration::from_secs(self.queue_timeout.into()),
            request_timeout: Duration::from_secs(self.request_timeout.into()),
            analytics: self.analytics.clone(),
            router: RouterConfig {
                enable_browser_inference: !self.no_browser_inference,
                ..RouterConfig::default()
            },
        })
    }

    fn key(&self) -> Result<Option<Key>, Failure> {
        let (text, source) = match &self.key_file {
            Some(path) => {
                let text = fs_err::read_to_string(path);
                let text = text.map_err(Failure::invalid)?;
                (text, format!("`{}`", path.display()))
            }
            None => match std::env::var(KEY_VARIABLE) {
                Ok(text) => (text, format!("`{KEY_VARIABLE}`")),
                Err(std::env::VarError::NotPresent) => return Ok(None),
                Err(error) => {
                    return Err(Failure::invalid(format!("`{KEY_VARIABLE}`: {error}")));
                }
            },
        };
        let key = Key::parse(&text);
        key.map(Some).map_err(|error| Failure::invalid(format!("{source}: {error}")))
    }

    /// The named models, or all installed ones.
    fn models(&self, project: &Project) -> Result<Vec<Model>, Failure> {
        let catalogue = project.catalogue()?;
        let cache = Project::cache()?;
        let resolve = |name: &str| {
            let model = catalogue.resolve(name, &cache);
            model.map_err(Failure::invalid)
        };
        if self.models.is_empty() {
            let names = catalogue.entries().iter().map(|entry| resolve(&entry.name));
            let all: Vec<Model> = names.collect::<Result<_, _>>()?;
            return Ok(all.into_iter().filter(|model| model.path.is_file()).collect());
        }
        let named: Vec<Model> =
            self.models.iter().map(|name| resolve(name)).collect::<Result<_, _>>()?;
        if let Some(Model { name, .. }) = named.iter().find(|model| !model.path.is_file()) {
            return Err(Failure::usage(miette::miette!(
                help = "fetch it with `tierproof models fetch {name}`",
                "model `{name}` is not installed"
            )));
        }
        Ok(named)
    }
}

pub(super) fn run(project: &Project, args: &ServeArgs) -> Answer {
    let options = args.options(project)?;
    let router = serve::router(options).map_err(Failure::invalid)?;
    runtime::on_runtime(async {
        let address = SocketAddr::new(args.address, args.port);
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| Failure::setup(format!("can't listen on {address}: {error}")))?;
        let address = listener.local_addr().map_err(Failure::setup)?;
        say(format!("http://{address}\n"))?;
        let serving = axum::serve(listener, router).with_graceful_shutdown(async {
            runtime::interrupted().await;
            tracing::info!("shutting down: no new requests; running ones finish");
        });
        tokio::select! {
            served = serving => served.map(|()| Exit::Expected).map_err(Failure::setup),
            () = runtime::interrupted_twice() => Ok(Exit::Interrupted),
        }
    })
}

/// An origin as browsers send it: a scheme, a host, and a port if it is not the usual one.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let expected = || format!("expected an origin such as `https://app.example`, found `{text}`");
    let uri: Uri = text.parse().map_err(|_| expected())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(expected());
    };
    // With anything after the host, even a slash, it would never equal a browser's origin.
    if format!("{scheme}://{authority}") != text || authority.as_str().contains('@') {
        return Err(expected());
    }
    HeaderValue::from_str(text).map_err(|_| expected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_the_form_that_browsers_send() {
        for good in ["https://app.example", "http://localhost:5173", "http://[::1]:80"] {
            assert_eq!(origin(good).unwrap(), good);
        }
        for bad in ["*", "", "app.example", "https://app.example/", "https://a@app.example", "null"]
        {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
