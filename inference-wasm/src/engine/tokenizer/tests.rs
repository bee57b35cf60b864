//! The rules around the merges, on a vocabulary small enough to check by hand. `tests/tokenizer.rs`
//! compares the ids of real vocabularies with other implementations.

use super::byte_level::alphabet;
use super::spelling::byte_token;
use super::*;
use crate::protocol::EngineErrorKind;

const BOS: u32 = 256;
const EOS: u32 = 257;
const USER: u32 = 258;
const ADDED: u32 = 259;
const AB: u32 = 260;

/// All bytes at their own numbers, then three control tokens, an added one, and one merge.
fn vocabulary() -> Vocabulary {
    let mut tokens: Vec<String> = alphabet().map(String::from).to_vec();
    tokens.extend(["<bos>", "<|im_end|>", "<user>", "[ADDED]", "ab"].map(str::to_owned));
    let mut types = vec![1; 256];
    types.extend([3, 3, 3, 4, 1]);
    Vocabulary {
        model: "gpt2".into(),
        pre: "gpt-2".into(),
        tokens,
        types,
        merges: vec!["a b".into()],
        bos: Some(BOS),
        eos: Some(EOS),
        add_bos: Some(true),
        chat_template: Some(
            "{{ bos_token }}{% for m in messages %}<user>{{ m.content }}{% endfor %}".into(),
        ),
        ..Vocabulary::default()
    }
}

fn tokenizer(change: impl FnOnce(&mut Vocabulary)) -> Tokenizer {
    let mut vocabulary = vocabulary();
    change(&mut vocabulary);
    Tokenizer::from_vocabulary(&vocabulary).unwrap()
}

fn bytes(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

#[test]
fn control_tokens_are_recognised_only_when_asked() {
    let tokenizer = tokenizer(|_| ());
    assert_eq!(tokenizer.encode("ab<user>", true), [AB, USER]);
    assert_eq!(tokenizer.encode("ab<user>", false), [&[AB], bytes("<user>").as_slice()].concat());
    // An added token is not a control token, but it is never split.
    assert_eq!(tokenizer.encode("x[ADDED]", false), [u32::from(b'x'), ADDED]);
    assert_eq!(tokenizer.encode("", true), [0; 0]);
}

/// SentencePiece: all bytes, then the merged tokens. Scores decide, and among equals the leftmost
/// pair.
#[test]
fn scores_decide_what_is_merged() {
    let mut tokens: Vec<String> = (0..=u8::MAX).map(byte_token).collect();
    tokens.extend(["<s>", "▁", "a", "b", "ab", "ba", "▁a", "bb"].map(str::to_owned));
    let mut scores = vec![0.0; 257];
    scores.extend([-9.0, -9.0, -9.0, -1.0, -1.0, -3.0, -2.0]);
    let mut types = vec![6; 256];
    types.extend([3, 1, 1, 1, 1, 1, 1, 1]);
    let vocabulary = Vocabulary {
        model: "llama".into(),
        tokens,
        scores,
        types,
        bos: Some(256),
        ..Vocabulary::default()
    };
    let build = |change: &dyn Fn(&mut Vocabulary)| {
        let mut vocabulary = vocabulary.clone();
        change(&mut vocabulary);
        Tokenizer::from_vocabulary(&vocabulary)
    };
    let with_space = build(&|_| ()).unwrap();
    let without = build(&|v| v.add_space_prefix = Some(false)).unwrap();
    let (bos, space, a, ab, ba, bb) = (256, 257, 258, 260, 261, 263);
    let cases: [(&Tokenizer, &str, Vec<u32>); 6] = [
        (&without, "aba", vec![ab, a]),
        (&without, "bba", vec![259, ba]),
        (&without, "bb", vec![bb]),
        (&with_space, "ab", vec![space, ab]),
        (&with_space, "é", vec![space, 0xc3, 0xa9]),
        (&with_space, "<s>ab", vec![bos, space, ab]),
    ];
    for (tokenizer, text, ids) in cases {
        assert_eq!(tokenizer.encode(text, true), ids, "{text:?}");
        assert_eq!(tokenizer.decode(&ids), text.replace("<s>", ""), "{text:?}");
    }
    // A byte at a time, and the space stays: a stream continues a prompt.
    let mut stream = TextStream::new(&with_space, &[]).unwrap();
    assert_eq!([space, 0xc3, 0xa9].map(|id| stream.push(id)), [" ", "", "é"]);
    // A sequence begins with `bos` by default.
    assert_eq!(with_space.prompt_ids(&Prompt::Raw("a".into())).unwrap(), [bos, 262]);

    for (change, message) in [
        (
            &(|v: &mut Vocabulary| v.scores.truncate(1)) as &dyn Fn(&mut Vocabulary),
            "`tokenizer.ggml.scores` has 1 entries, expected one for each of 264 tokens",
        ),
        (&|v| v.scores[3] = f32::NAN, "`tokenizer.ggml.scores` of token 3 is not a number"),
        (&|v| v.tokens[10] = "x".into(), "`tokenizer.ggml.tokens` has no `<0x0A>`"),
    ] {
        assert_eq!(build(change).unwrap_err().message, message);
    }
}

#[test]
fn the_longest_special_token_is_found_first() {
    let tokenizer = tokenizer(|v| {
        v.tokens[256] = "xy".into();
        v.tokens[257] = "yzw".into();
        v.name = "Phi-3 mini".into();
        v.bos = None;
    });
    // White space after a special token is part of it in this family.
    let ids = [u32::from(b'x'), 257, u32::from(b'a'), 256, 258];
    assert_eq!(
        tokenizer.encode("xyzw \n a\u{20}xy <user>", true),
        [&ids[..3], &[u32::from(b' ')], &ids[3..],].concat()
    );
}

#[test]
fn the_beginning_token_occurs_once() {
    let text = |text: &str| Prompt::Text(text.into());
    let raw = |text: &str| Prompt::Raw(text.into());
    let with = tokenizer(|_| ());
    let without = tokenizer(|v| v.add_bos = Some(false));
    let silent = tokenizer(|v| v.chat_template = Some("<user>{{ messages[0].content }}".into()));
    let plain = tokenizer(|v| v.chat_template = None);
    let a = u32::from(b'a');
    let cases: [(&Tokenizer, Prompt, &[u32]); 8] = [
        (&with, text("a"), &[BOS, USER, a]),
        (&without, text("a"), &[BOS, USER, a]),
        (&silent, text("a"), &[BOS, USER, a]),
        (&plain, text("a"), &[BOS, a]),
        (&with, raw("a"), &[BOS, a]),
        (&with, raw("<bos>a"), &[BOS, a]),
        (&without, raw("a"), &[a]),
        (&with, Prompt::Ids(vec![a, AB]), &[a, AB]),
    ];
    for (tokenizer, prompt, ids) in cases {
        assert_eq!(tokenizer.prompt_ids(&prompt).unwrap(), ids, "{prompt:?}");
    }
}

#[test]
fn the_end_goes_to_raw_text_only() {
    let tokenizer = tokenizer(|v| v.add_eos = Some(true));
    let ids = |prompt| tokenizer.prompt_ids(&prompt).unwrap();
    assert_eq!(ids(Prompt::Raw("ab".into())), [BOS, AB, EOS]);
    assert_eq!(ids(Prompt::Raw("ab<|im_end|>".into())), [BOS, AB, EOS]);
    assert_eq!(ids(Prompt::Text("ab".into())), [BOS, USER, AB]);
}

#[test]
fn wrong_prompts_are_errors() {
    let tokenizer = tokenizer(|v| {
        v.chat_template = None;
        v.add_bos = Some(false);
    });
    let error = |prompt| tokenizer.prompt_ids(&prompt).unwrap_err();
    let cases = [
        (
            Prompt::Ids(vec![1, 261]),
            EngineErrorKind::InvalidRequest,
            "prompt id 261 at position 1 is not in the vocabulary of 261 tokens",
        ),
        (Prompt::Ids(vec![]), EngineErrorKind::InvalidRequest, "the prompt has no tokens"),
        (Prompt::Raw(String::new()), EngineErrorKind::InvalidRequest, "the prompt has no tokens"),
        (
            Prompt::Messages(vec![]),
            EngineErrorKind::ChatTemplate,
            "the model has no `tokenizer.chat_template`",
        ),
    ];
    for (prompt, kind, message) in cases {
        let error = error(prompt);
        assert_eq!((error.kind, error.message.as_str()), (kind, message));
    }
}

#[test]
fn stop_tokens_are_the_named_and_the_known_ones() {
    let named = tokenizer(|v| {
        v.eos = Some(USER);
        v.eot = Some(BOS);
    });
    // `<|im_end|>` (257) is known by its text, the others are named by the file.
    let stop: Vec<u32> = (0..261).filter(|id| named.is_stop(*id)).collect();
    assert_eq!(stop, [BOS, EOS, USER]);
    // A file that marks it as ordinary text is wrong; without a named end it still ends an answer.
    let ordinary = tokenizer(|v| {
        v.types.clear();
        v.eos = None;
    });
    assert!((0..261).all(|id| ordinary.is_stop(id) == (id == EOS)));
    assert_eq!(ordinary.decode(&[EOS]), "");
}

/// Two formats have an end token of their own and use the usual one inside an answer.
#[test]
fn tokens_used_inside_an_answer_do_not_end_it() {
    for (texts, stops) in [
        (["<|end|>", "<|return|>", "<|call|>"], [false, true, true]),
        (["<|end|>", "<|return|>", "<x>"], [true, true, false]),
        (["</s>", "<|tool_response>", "<eos>"], [false, true, true]),
    ] {
        let tokenizer = tokenizer(|v| {
            for (id, text) in [256, 257, 258].into_iter().zip(texts) {
                v.tokens[id] = text.into();
            }
            v.eos = None;
        });
        assert_eq!([256, 257, 258].map(|id| tokenizer.is_stop(id)), stops, "{texts:?}");
    }
}

#[test]
fn a_stream_shows_text_and_no_control_tokens() {
    let tokenizer = tokenizer(|_| ());
    let mut stream = TextStream::new(&tokenizer, &["\n\n".into()]).unwrap();
    let mut ids = bytes("é!");
    ids.insert(1, USER);
    ids.extend([ADDED, u32::from(b'\n'), EOS]);
    let shown: Vec<String> = ids.iter().map(|id| stream.push(*id)).collect();
    assert_eq!(shown, ["", "", "é", "!", "[ADDED]", "", ""]);
    assert!(!stream.is_stopped());
    assert_eq!(stream.finish(), "\n");
    assert_eq!(tokenizer.decode(&ids), "é![ADDED]\n");

    let error = TextStream::new(&tokenizer, &[String::new()]).unwrap_err();
    assert_eq!(error.kind, EngineErrorKind::InvalidRequest);
}
