use super::*;
use crate::client::fixtures::{device, variant};
use crate::protocol::BackendName;

fn need<'a>(device: &'a Capabilities, excluded: &'a BTreeSet<String>) -> Need<'a> {
    Need {
        tier: Tier::Webgpu,
        device,
        capability: None,
        context_tokens: 128,
        max_bytes: u64::MAX,
        excluded,
        preferred: None,
    }
}

fn registry() -> Vec<ModelVariant> {
    let mut large = variant("large-q8", 1_000_000_000, 1.0);
    large.min_device_tier = DeviceTier::Mid;
    large.webgpu_features = vec!["shader-f16".into()];
    large.capabilities = vec!["chat".into(), "code".into()];
    let mut middle = variant("middle-q4", 300_000_000, 0.5);
    middle.min_device_tier = DeviceTier::Low;
    vec![middle, variant("small-q4", 100_000_000, 0.1), large]
}

#[test]
fn the_best_fitting_variant_is_chosen_in_any_order() {
    let (device, none) = (device(), BTreeSet::new());
    let mut registry = registry();
    for _ in 0..registry.len() {
        registry.rotate_left(1);
        let choice = choose(&registry, &need(&device, &none));
        assert_eq!(choice.variant.unwrap().id, "large-q8");
        let rejected: Vec<_> =
            choice.rejected.iter().map(|rejected| rejected.id.as_str()).collect();
        assert_eq!(rejected, ["middle-q4", "small-q4"]);
    }
}

#[test]
fn a_rejection_has_all_of_its_reasons() {
    let none = BTreeSet::new();
    let mut weak = device();
    weak.report.webgpu.adapter.as_mut().unwrap().features.clear();
    weak.report.device_memory_gib = Some(1.5);
    let registry = registry();
    let choice = choose(&registry, &Need { capability: Some("chat"), ..need(&weak, &none) });
    assert_eq!(choice.variant.unwrap().id, "middle-q4");
    let large = choice.rejected.iter().find(|rejected| rejected.id == "large-q8").unwrap();
    assert_eq!(
        large.reasons,
        [
            Rejection::Feature { missing: "shader-f16".into() },
            Rejection::DeviceTier { needs: DeviceTier::Mid, has: DeviceTier::Low },
            Rejection::Memory { needs_gib: 1.0, has_gib: 0.75 },
        ]
    );
}

#[test]
fn a_cpu_gets_a_small_model() {
    let (device, none) = (device(), BTreeSet::new());
    let registry = registry();
    let choice = choose(&registry, &Need { tier: Tier::Wasm, ..need(&device, &none) });
    assert_eq!(choice.variant.unwrap().id, "small-q4");
}

#[test]
fn requirements_exclude_variants() {
    let (device, registry) = (device(), registry());
    let excluded = BTreeSet::from(["large-q8".to_owned()]);
    let choose =
        |need: Need<'_>| choose(&registry, &need).variant.map(|variant| variant.id.clone());
    assert_eq!(choose(need(&device, &excluded)).as_deref(), Some("middle-q4"));
    let none = BTreeSet::new();
    let code = Need { capability: Some("code"), ..need(&device, &excluded) };
    assert_eq!(choose(code), None);
    assert_eq!(choose(Need { context_tokens: 4096, ..need(&device, &none) }), None);
    let small = Need { max_bytes: 200, ..need(&device, &none) };
    assert_eq!(choose(small), None);
    let preferred = Need { preferred: Some("small-q4"), ..need(&device, &none) };
    assert_eq!(choose(preferred).as_deref(), Some("small-q4"));
}

#[test]
fn all_errors_of_a_registry_come_at_once() {
    assert_eq!(validate(&registry()), Ok(()));
    let mut broken = registry();
    broken[1].id = broken[0].id.clone();
    broken[1].file.shards[1].sha256 = "abc".into();
    broken[1].file.shards[0].bytes += 1;
    broken[2].min_ram_gib = f64::NAN;
    broken[2].versions.prompt_template.clear();
    broken[2].backends.push(BackendName::Cpu);
    let errors = validate(&broken).unwrap_err();
    let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn a_variant_round_trips_through_json() {
    let variant = &registry()[2];
    let json = serde_json::to_string(variant).unwrap();
    assert_eq!(&serde_json::from_str::<ModelVariant>(&json).unwrap(), variant);
}
