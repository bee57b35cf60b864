//! Attention: one pass for the scores, and one for their softmax and the sum of the values.

use super::device::Pass;
use super::layout::Shape;
use super::passes::Webgl;
use super::program::Number;
use super::shader::Shader;
use super::tensor::{Cache, Scores, Tensor};
use crate::engine::backend::Heads;
use crate::protocol::EngineError;

impl Webgl {
    pub(super) fn attend(
        &mut self,
        queries: &Tensor,
        cache: &Cache,
        heads: Heads,
        out: &mut Tensor,
    ) -> Result<(), EngineError> {
        let needed = (heads.queries, cache.shape.rows);
        let scores = match self.scores.take() {
            Some(scores) if scores.made_for == needed => scores,
            _ => Scores::new(&mut self.device, heads.queries, cache.shape.rows)?,
        };
        for row_first in (0..queries.rows).step_by(scores.rows) {
            let rows = scores.rows.min(queries.rows - row_first);
            self.attend_rows((queries, row_first, rows), cache, heads, &scores, out);
        }
        out.rows = queries.rows;
        self.scores = Some(scores);
        Ok(())
    }

    fn attend_rows(
        &mut self,
        (queries, row_first, rows): (&Tensor, usize, usize),
        cache: &Cache,
        heads: Heads,
        scores: &Scores,
        out: &Tensor,
    ) {
        // Only as many columns as positions; the scratch has room for more.
        let positions = heads.first + row_first + rows;
        let score_shape = scores.tensor.shape.with_columns(positions);
        let window = heads.window.unwrap_or(positions).min(positions);
        let is_aligned = heads.size.is_multiple_of(4);
        let int = |number: usize| Number::Int(number as i32);
        let numbers = [
            ("queries_shape", Number::Shape(queries.shape.uniform())),
            ("cache_shape", Number::Shape(cache.shape.uniform())),
            ("scores_shape", Number::Shape(score_shape.uniform())),
            ("columns", int(out.shape.columns)),
            ("heads", int(heads.queries)),
            ("kv_heads", int(heads.kv)),
            ("head_size", int(heads.size)),
            ("row_first", int(row_first)),
            ("first", int(heads.first)),
            ("window", int(window)),
            ("scale", Number::Float(heads.scale)),
            ("cap", Number::Float(heads.soft_cap.unwrap_or(0.0))),
        ];
        let shaped = |shape: Shape| {
            let own = [
                ("out_shape", Number::Shape(shape.uniform())),
                ("out_texels", int(shape.texels())),
            ];
            [own.as_slice(), &numbers].concat()
        };
        for rectangle in score_shape.rectangles(0..rows * heads.queries) {
            self.device.draw(&Pass {
                shader: Shader::Scores(is_aligned),
                target: &scores.tensor.front.target,
                rectangle,
                textures: &[("queries", &queries.front.texture), ("keys", &cache.keys)],
                numbers: &shaped(score_shape),
            });
        }
        for rectangle in out.shape.rectangles(row_first..row_first + rows) {
            self.device.draw(&Pass {
                shader: Shader::Attended(is_aligned),
                target: &out.front.target,
                rectangle,
                textures: &[("scores", &scores.tensor.front.texture), ("values", &cache.values)],
                numbers: &shaped(out.shape),
            });
        }
    }
}
