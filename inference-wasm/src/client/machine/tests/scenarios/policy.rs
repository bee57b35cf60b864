//! Decisions by the user, the operator, the battery and the temperature.

use super::super::world::{Ask, local, request};
use super::{Scenario, progressive, scenario, start};
use crate::protocol::client::{Battery, Input, LocalEvent, Preference, Pressure};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        scenario!("never", |config| config.preference = Preference::Never, |world| {
            world.input(Input::Start);
            world.input(request(1));
        }),
        scenario!("never-with-a-server", progressive, |world| {
            world.input(Input::Preference { preference: Preference::Never });
            world.input(Input::Start);
            world.input(request(1));
            world.finish();
            world.input(Input::Preference { preference: Preference::Auto });
            world.input(request(2));
            world.finish();
        }),
        scenario!("never-in-mid-answer", progressive, |world| {
            start(world);
            world.input(request(1));
            world.tokens(2);
            world.input(Input::Preference { preference: Preference::Never });
            world.finish();
            world.input(request(2));
            world.finish();
        }),
        scenario!(
            "always-waits",
            |config| {
                progressive(config);
                config.preference = Preference::Always;
            },
            |world| {
                world.silent_once(Ask::Load);
                start(world);
                world.input(request(1));
                let versions = world.client.variant().unwrap().versions.clone();
                world.input(local(1, LocalEvent::Loaded { versions }));
                world.finish();
            }
        ),
        scenario!("low-battery", progressive, |world| {
            start(world);
            world.input(Input::Battery { battery: Battery { level: 0.1, charging: false } });
            world.input(request(1));
            world.finish();
            world.input(Input::Battery { battery: Battery { level: 0.1, charging: true } });
            world.input(request(2));
            world.finish();
        }),
        scenario!(
            "too-complex",
            |config| {
                progressive(config);
                config.router.complex_max_tokens = 1;
            },
            |world| {
                start(world);
                world.input(request(1));
                world.finish();
            }
        ),
        scenario!("too-hot", progressive, |world| {
            start(world);
            world.input(request(1));
            world.tokens(2);
            world.input(Input::Thermal { pressure: Pressure::Critical });
            world.finish();
            world.input(Input::Thermal { pressure: Pressure::Serious });
            world.input(request(2));
            world.finish();
            world.input(Input::Thermal { pressure: Pressure::Nominal });
            world.input(request(3));
            world.finish();
        }),
        scenario!(
            "disabled",
            |config| {
                progressive(config);
                config.router.enable_browser_inference = false;
            },
            |world| {
                world.input(Input::Start);
                world.input(request(1));
                world.finish();
            }
        ),
    ]
}
