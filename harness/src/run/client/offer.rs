//! The configuration of a client: the model on offer, and the settings of the scenario.

use inference_wasm::client::breaker::Breakers;
use inference_wasm::client::machine::Config;
use inference_wasm::client::registry::ModelVariant;
use inference_wasm::client::tier::Tier;
use inference_wasm::protocol::BackendName;

use crate::spec::scenario::{ClientScenario, Deployment, Settings};

/// The one model on offer, for the backend that the client is to start on and those below it.
pub(super) fn offer(
    mut variant: ModelVariant,
    start: BackendName,
    deployment: Deployment,
) -> ModelVariant {
    let backends = Tier::CHAIN.into_iter().filter_map(Tier::backend);
    variant.backends = backends.skip_while(|backend| *backend != start).collect();
    let versions = &mut variant.versions;
    let changed = match deployment {
        Deployment::Same => return variant,
        Deployment::OtherWeights => &mut versions.weights,
        Deployment::OtherTokenizer => &mut versions.tokenizer,
        Deployment::OtherTemplate => &mut versions.prompt_template,
    };
    changed.push_str("-next");
    variant
}

/// The client's configuration.
pub(super) fn config(scenario: &ClientScenario, variant: ModelVariant) -> Config {
    let Settings {
        start,
        has_server: _,
        preference,
        deadlines,
        recovery,
        breaker,
        router,
        consent_above_bytes,
        server_attempts,
        shard_attempts,
        shard_bytes: _,
    } = scenario.settings.clone();
    Config {
        start,
        preference,
        router,
        registry: vec![variant],
        deadlines,
        recovery,
        breaker,
        breakers: Breakers::default(),
        consent_above_bytes,
        server_attempts,
        shard_attempts,
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use inference_wasm::client::registry::validate;

    use super::*;
    use crate::drive::server::ServedModel;
    use crate::serve::variant_of;

    fn variant() -> ModelVariant {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let path = root.join("fixtures/models/scribe-low-Q4_0.gguf");
        let model = ServedModel::read(&path, "scribe-low-Q4_0", 256 << 10).unwrap();
        variant_of(&model).unwrap()
    }

    #[test]
    fn a_model_is_offered_from_the_starting_tier_down() {
        use BackendName::{Wasm, Webgl, Webgpu};
        let variant = variant();
        for (start, backends) in
            [(Webgpu, vec![Webgpu, Webgl, Wasm]), (Webgl, vec![Webgl, Wasm]), (Wasm, vec![Wasm])]
        {
            let offered = offer(variant.clone(), start, Deployment::Same);
            assert_eq!(offered.backends, backends);
            validate(&[offered]).unwrap();
        }
        assert_eq!(variant.file.shards.len(), 5);
        assert_eq!(variant.file.shards[0].url, "models/shard-00001-of-00005");
    }

    #[test]
    fn another_deployment_changes_one_version() {
        let variant = variant();
        let versions = |deployment| offer(variant.clone(), BackendName::Wasm, deployment).versions;
        let first = versions(Deployment::Same);
        assert_eq!(first, variant.versions);
        let [weights, tokenizer, template] =
            [Deployment::OtherWeights, Deployment::OtherTokenizer, Deployment::OtherTemplate]
                .map(versions);
        assert!(weights.weights != first.weights && weights.tokenizer == first.tokenizer);
        assert!(tokenizer.tokenizer != first.tokenizer && tokenizer.weights == first.weights);
        assert!(template.prompt_template != first.prompt_template);
    }
}
