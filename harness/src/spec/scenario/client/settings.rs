//! The `[client]` table: how the client is configured.

use inference_wasm::client::breaker::BreakerLimits;
use inference_wasm::client::machine::{Config, Deadlines, RecoveryLimits, Start};
use inference_wasm::client::router::{Preference, RouterConfig};
use inference_wasm::protocol::BackendName;
use toml::Spanned;
use toml::de::DeValue;

use crate::spec::document::{FromValue, Problem, Problems, Table, Unfit, one_of};

/// The client's configuration, apart from the models that it is offered.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Its way of starting.
    pub start: Start,
    /// Whether there is a server tier.
    pub has_server: bool,
    /// The user's preference.
    pub preference: Preference,
    /// The longest duration of each state.
    pub deadlines: Deadlines,
    /// The limits of replacing lost devices.
    pub recovery: RecoveryLimits,
    /// The limits after which a tier is avoided.
    pub breaker: BreakerLimits,
    /// The operator's rules.
    pub router: RouterConfig,
    /// On a metered connection, larger downloads need the user's consent; in bytes.
    pub consent_above_bytes: u64,
    /// Attempts at the server, for each request.
    pub server_attempts: u32,
    /// Attempts at each shard.
    pub shard_attempts: u32,
    /// Bytes of a shard.
    pub shard_bytes: u32,
}

impl Default for Settings {
    /// The client's own defaults, without a server.
    fn default() -> Self {
        let Config {
            preference,
            router,
            deadlines,
            recovery,
            breaker,
            consent_above_bytes,
            server_attempts,
            shard_attempts,
            ..
        } = Config::default();
        Self {
            start: Start::LocalOnly,
            has_server: false,
            preference,
            deadlines,
            recovery,
            breaker,
            router,
            consent_above_bytes,
            server_attempts,
            shard_attempts,
            // The smallest model of the fixtures has five shards then.
            shard_bytes: 256 << 10,
        }
    }
}

/// The tiers that a page can start on.
const TIERS: [BackendName; 3] = [BackendName::Webgpu, BackendName::Webgl, BackendName::Wasm];

/// The `[client]` table.
pub(super) struct Written {
    pub(super) tiers: Vec<BackendName>,
    pub(super) settings: Settings,
}

/// Replaces defaults with the values of the table.
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
        problems.push(Problem::at(server.span(), message, "it is never asked").hint(hint));
    }
    settings.has_server = server.map_or(!is_local_only, Spanned::into_inner);
    if let Some(bytes) = table.positive("shard_bytes") {
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
            let message = format!("`tiers`: a page can't start on `{}`", tier.get_ref());
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
        let all = [
            (Self::Progressive, "progressive"),
            (Self::IdlePreload, "idle-preload"),
            (Self::LocalOnly, "local-only"),
        ];
        one_of(value, &all)
    }
}

impl FromValue for Preference {
    const EXPECTED: &'static str = "`auto`, `always` or `never`";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        one_of(value, &[(Self::Auto, "auto"), (Self::Always, "always"), (Self::Never, "never")])
    }
}
