//! The `[client]` table: how the client is made.

use inference_wasm::client::machine::Start;
use inference_wasm::client::router::Preference;
use inference_wasm::protocol::BackendName;
use toml::Spanned;
use toml::de::DeValue;

use super::Settings;
use crate::spec::document::{FromValue, Problem, Problems, Table, Unfit};
use crate::spec::scenario::read::{named, positive};

/// The tiers that a page can start on.
const TIERS: [BackendName; 3] = [BackendName::Webgpu, BackendName::Webgl, BackendName::Wasm];

/// The `[client]` table.
pub(super) struct Written {
    pub(super) tiers: Vec<BackendName>,
    pub(super) settings: Settings,
}

/// Puts what is written over the defaults.
macro_rules! overrides {
    ($table:ident, $into:expr, [$($key:ident),+ $(,)?]) => {
        $(if let Some(value) = $table.optional(stringify!($key)) {
            $into.$key = Spanned::into_inner(value);
        })+
    };
}

pub(super) fn client(table: &Table<'_>, problems: &Problems) -> Written {
    let tiers = tiers(table, problems);
    let mut settings = Settings::default();
    overrides!(table, settings, [start, preference, consent_above_bytes, server_attempts]);
    overrides!(table, settings, [shard_attempts]);
    let server: Option<Spanned<bool>> = table.optional("server");
    let is_local_only = settings.start == Start::LocalOnly;
    if let Some(server) = &server
        && *server.get_ref()
        && is_local_only
    {
        let message = "a client that is `local-only` never asks a server".to_owned();
        let hint = "leave `server` out, or write `start = \"progressive\"`";
        problems.push(Problem::at(server.span(), message, "nobody asks it").hint(hint));
    }
    settings.has_server = server.map_or(!is_local_only, Spanned::into_inner);
    if let Some(bytes) = positive(table, "shard_bytes", problems) {
        settings.shard_bytes = bytes;
    }
    table.table("deadlines", |table| {
        let deadlines = &mut settings.deadlines;
        overrides!(table, deadlines, [detect_ms, device_ms, probe_ms, inspect_ms, shard_ms]);
        overrides!(table, deadlines, [consent_ms, load_ms, first_token_ms, token_ms, stop_ms]);
        overrides!(table, deadlines, [server_ms, request_ms]);
    });
    table.table("recovery", |table| {
        overrides!(table, settings.recovery, [losses, window_ms, pause_ms]);
    });
    table.table("breaker", |table| {
        let breaker = &mut settings.breaker;
        overrides!(table, breaker, [failures, window_ms, cooldown_ms, longest_cooldown_ms]);
    });
    table.table("router", |table| {
        let router = &mut settings.router;
        overrides!(table, router, [enable_browser_inference, max_browser_model_size_bytes]);
        overrides!(table, router, [complex_prompt_length, complex_max_tokens, min_ram_gib]);
        if let Some(features) = table.list::<String>("prefer_browser_for") {
            router.prefer_browser_for = features.into_iter().map(Spanned::into_inner).collect();
        }
    });
    Written { tiers, settings }
}

fn tiers(table: &Table<'_>, problems: &Problems) -> Vec<BackendName> {
    let Some(written) = table.list::<BackendName>("tiers") else { return TIERS.to_vec() };
    for tier in &written {
        if !TIERS.contains(tier.get_ref()) {
            let message = format!("`tiers`: no page starts on `{}`", tier.get_ref());
            let hint = "the tiers are `webgpu`, `webgl` and `wasm`";
            problems.push(Problem::at(tier.span(), message, "this").hint(hint));
        }
    }
    let is_written = |tier: &BackendName| written.iter().any(|one| one.get_ref() == tier);
    TIERS.into_iter().filter(is_written).collect()
}

impl FromValue for Start {
    const EXPECTED: &'static str = "how the client starts";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let all = [Self::Progressive, Self::IdlePreload, Self::LocalOnly];
        named(value, &all, |start| match start {
            Self::Progressive => "progressive",
            Self::IdlePreload => "idle-preload",
            Self::LocalOnly => "local-only",
        })
    }
}

impl FromValue for Preference {
    const EXPECTED: &'static str = "`auto`, `always` or `never`";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        named(value, &[Self::Auto, Self::Always, Self::Never], |preference| match preference {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        })
    }
}
