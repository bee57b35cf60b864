//! One turn of the browser's event loop.
//!
//! A message comes back at once; a timer would be held back for milliseconds, and a promise would
//! not let other messages in. Whoever waits for a GPU, or lets a cancellation come in, takes turns.

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageChannel;

/// A channel that leads from here to here.
pub(crate) struct Turn {
    channel: MessageChannel,
}

impl Turn {
    /// A channel of its own.
    pub(crate) fn new() -> Result<Self, JsValue> {
        Ok(Self { channel: MessageChannel::new()? })
    }

    /// Waits until the event loop has been around once.
    pub(crate) async fn pass(&self) {
        let (sender, receiver) = (self.channel.port1(), self.channel.port2());
        let promise = Promise::new(&mut |resolve, _| {
            receiver.set_onmessage(Some(&resolve));
            // Null can always be posted.
            let _ = sender.post_message(&JsValue::NULL);
        });
        let _ = JsFuture::from(promise).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // An open port keeps itself alive.
        self.channel.port1().close();
        self.channel.port2().close();
    }
}
