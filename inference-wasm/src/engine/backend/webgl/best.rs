//! The most likely token: the GPU finds the greatest value of each slice of a row, and only those
//! are read.

use super::passes::Webgl;
use super::program::Number;
use super::shader::Shader;
use super::tensor::Tensor;
use crate::engine::backend::Candidate;
use crate::protocol::EngineError;

/// Slices of a row; one fragment for each.
const SLICES: usize = 64;

impl Webgl {
    /// Returns the `count` greatest values of a row, in their order.
    pub(super) fn find_best(
        &mut self,
        x: &Tensor,
        count: usize,
    ) -> Result<Vec<Candidate>, EngineError> {
        if count == 1 {
            return Ok(self.greatest(x)?.into_iter().collect());
        }
        // Finding several takes as many passes; reading the row takes one.
        let mut row = Vec::new();
        self.read_rows(x, 1, &mut row)?;
        let mut candidates: Vec<Candidate> =
            (0..).zip(row).map(|(id, logit)| Candidate { id, logit }).collect();
        candidates.sort_unstable_by(Candidate::order);
        candidates.truncate(count);
        Ok(candidates)
    }

    fn greatest(&mut self, x: &Tensor) -> Result<Option<Candidate>, EngineError> {
        let mut found = match self.found.take() {
            Some(found) => found,
            None => Tensor::new(&mut self.device, 1, 4 * SLICES)?,
        };
        let texels = x.shape.texels();
        let slice = texels.div_ceil(SLICES);
        let numbers = [
            ("x_shape", Number::Shape(x.shape.uniform())),
            ("columns", Number::Int(x.shape.columns as i32)),
            ("slice", Number::Int(slice as i32)),
        ];
        self.write(Shader::Best, &mut found, 1, &[("x", &x.front.texture)], &numbers);
        let mut slices = Vec::new();
        let read = self.read_rows(&found, 1, &mut slices);
        self.found = Some(found);
        read?;
        // Integers below 2²⁴ are exact in f32, and no vocabulary has more tokens.
        let candidates = slices.chunks_exact(4).take(texels.div_ceil(slice)).map(|slice| {
            if slice[2] >= 0.0 {
                Candidate { id: slice[2] as u32, logit: f32::NAN }
            } else {
                Candidate { id: slice[1] as u32, logit: slice[0] }
            }
        });
        Ok(candidates.min_by(Candidate::order))
    }
}
