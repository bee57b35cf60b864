//! From the text of a matrix to [`MatrixSpec`]: shapes and types, without looking up any name.

use toml::Spanned;

use super::spec::{
    EachSpec, ExcludeSpec, IncludeSpec, KnownFailureSpec, MatrixSpec, RequireSpec, RoutingSpec,
    TimeoutsSpec, ToleranceSpec, WhenSpec,
};
use crate::spec::document::Table;

/// Reads the top table. Values that are missing or unfit are reported and left empty.
pub(crate) fn matrix(table: &Table<'_>) -> MatrixSpec {
    let browsers = table.required_list("browsers");
    let backends = table.required_list("backends");
    let engines = table.list("engines");
    let models = table.required_list("models");
    let scenarios = table.required_list("scenarios");
    let retries = table.optional("retries");
    let jobs = table.optional("jobs");
    let bundle = table.optional("bundle");
    let threads = table.optional("threads");
    let gpu = table.optional("gpu");
    let adapter = table.optional("adapter");
    let include = table.tables("include", include);
    let exclude = table.tables("exclude", exclude);
    let require = table.table("require", require);
    let timeouts = table.table("timeouts", timeouts);
    let routing = table.table("routing", |routing| RoutingSpec {
        server_cost_per_1k_tokens: routing
            .optional("server_cost_per_1k_tokens")
            .map(Spanned::into_inner),
    });
    let tolerance = table.tables("tolerance", tolerance);
    let known_failure = table.tables("known-failure", known_failure);
    MatrixSpec {
        browsers,
        backends,
        engines,
        models,
        scenarios,
        include,
        exclude,
        require,
        timeouts,
        routing,
        retries,
        jobs,
        bundle,
        threads,
        gpu,
        adapter,
        tolerance,
        known_failure,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the signature that `Table::tables` takes")]
fn include(table: &Table<'_>) -> Option<IncludeSpec> {
    Some(IncludeSpec {
        browsers: table.list("browsers"),
        backends: table.list("backends"),
        engines: table.list("engines"),
        models: table.list("models"),
        scenarios: table.list("scenarios"),
    })
}

fn when(table: &Table<'_>) -> WhenSpec {
    WhenSpec {
        browsers: table.list("browsers"),
        backends: table.list("backends"),
        engines: table.list("engines"),
        models: table.list("models"),
        scenarios: table.list("scenarios"),
        weights: table.list("weights"),
        adapters: None,
    }
}

/// A tolerance can name adapters, since they are known once an answer is compared.
fn when_with_adapters(table: &Table<'_>) -> WhenSpec {
    WhenSpec { adapters: table.list("adapters"), ..when(table) }
}

fn required_when(table: &Table<'_>) -> Option<WhenSpec> {
    table.require_any("when", "a table of globs, such as `{ browsers = [\"webkit\"] }`");
    table.table("when", when)
}

fn exclude(table: &Table<'_>) -> Option<ExcludeSpec> {
    let when = required_when(table);
    let reason = table.required("reason").map(Spanned::into_inner);
    Some(ExcludeSpec { when: when?, reason: reason? })
}

fn require(table: &Table<'_>) -> RequireSpec {
    RequireSpec {
        cells: table.optional("cells"),
        each: table.table("each", |each| EachSpec {
            browser: each.optional("browser"),
            backend: each.optional("backend"),
            model: each.optional("model"),
            scenario: each.optional("scenario"),
        }),
    }
}

fn timeouts(table: &Table<'_>) -> TimeoutsSpec {
    TimeoutsSpec {
        launch: table.optional("launch"),
        ready: table.optional("ready"),
        probe: table.optional("probe"),
        fetch: table.optional("fetch"),
        prepare: table.optional("prepare"),
        prefill: table.optional("prefill"),
        decode: table.optional("decode"),
        score: table.optional("score"),
        ops: table.optional("ops"),
        release: table.optional("release"),
        silence: table.optional("silence"),
        attempt: table.optional("attempt"),
    }
}

pub(super) fn tolerance(table: &Table<'_>) -> Option<ToleranceSpec> {
    let name = table.required("name");
    let when = table.table("when", when_with_adapters);
    let mean_kld = table.required("mean_kld");
    let max_kld = table.required("max_kld");
    let max_abs = table.required("max_abs").map(Spanned::into_inner);
    let flip_margin = table.required("flip_margin").map(Spanned::into_inner);
    let reason = table.required("reason").map(Spanned::into_inner);
    let link = table.optional("link");
    let expires = table.optional("expires");
    Some(ToleranceSpec {
        name: name?,
        when,
        mean_kld: mean_kld?,
        max_kld: max_kld?,
        max_abs: max_abs?,
        flip_margin: flip_margin?,
        reason: reason?,
        link,
        expires,
    })
}

fn known_failure(table: &Table<'_>) -> Option<KnownFailureSpec> {
    let when = required_when(table);
    let reason = table.required("reason").map(Spanned::into_inner);
    let link = table.required("link");
    let expires = table.required("expires");
    Some(KnownFailureSpec { when: when?, reason: reason?, link: link?, expires: expires? })
}
