//! The goldens and traces that the matrices of a project need.

use std::collections::{BTreeMap, BTreeSet};

use inference_wasm::protocol::BackendName;

use super::{Lab, LabError};
use crate::judge::golden::check::Wanted;
use crate::plan::requests;
use crate::spec::matrix::expand;
use crate::spec::scenario::Step;

impl Lab {
    /// The goldens that any matrix needs. Other models of the catalogue may have some, too.
    pub(crate) fn wanted_goldens(&self) -> Result<Vec<Wanted>, LabError> {
        let catalogue = self.project.catalogue()?;
        let mut wanted: BTreeMap<(String, String), Wanted> = BTreeMap::new();
        for path in self.project.matrices()? {
            let resolved = self.matrix(path)?;
            for cell in expand(&resolved.matrix).cells {
                let Some(scenario) = resolved.fixtures.scenarios.get(&cell.scenario) else {
                    continue;
                };
                let Some(entry) = catalogue.get(&cell.model) else { continue };
                let Some(set) = resolved.fixtures.prompts.get(entry.prompt_set()) else { continue };
                if !scenario.needs_golden() {
                    continue;
                }
                let key = (cell.model, scenario.golden_key().to_owned());
                let golden = wanted.entry(key.clone()).or_insert_with(|| Wanted {
                    model: key.0,
                    model_sha256: entry.sha256.clone(),
                    reference: entry.reference,
                    cases: requests(set, &key.1),
                    scenario: key.1,
                    needs_logits: false,
                });
                golden.needs_logits |=
                    scenario.steps.iter().any(|step| matches!(step, Step::Score(_)));
            }
        }
        Ok(wanted.into_values().collect())
    }

    /// The traces that any matrix needs, as scenario and starting tier.
    pub(crate) fn wanted_traces(&self) -> Result<BTreeSet<(String, BackendName)>, LabError> {
        let mut wanted = BTreeSet::new();
        for path in self.project.matrices()? {
            let matrix = self.matrix(path)?.matrix;
            for cell in expand(&matrix).cells {
                let Some(client) = matrix.client(&cell) else { continue };
                if cell.unsupported_pair().is_none()
                    && client.unsupported(cell.browser, cell.backend).is_none()
                {
                    wanted.insert((cell.scenario, cell.backend));
                }
            }
        }
        Ok(wanted)
    }
}
