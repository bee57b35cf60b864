//! Whatever a supervised program starts is dead when we are done with it, or dead ourselves.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid};
use tierproof::drive::browser::supervise::{NoLine, Program, Supervised, Supervisor};
use tierproof_tests::processes::{self, descendants, until};

const LIMIT: Duration = Duration::from_secs(30);

fn supervisor() -> Supervisor {
    Supervisor::with_executable(env!("CARGO_BIN_EXE_supervise").into())
}

/// A number of seconds that no other `sleep` on this machine sleeps for.
fn mark(test: u32) -> String {
    format!("{}.{test}", 10_000_000 + std::process::id())
}

/// Those whose command line has this text in it, but not our own.
fn with_text(text: &str) -> Vec<u32> {
    let own = std::process::id();
    let found = processes::living().into_iter();
    found.filter(|found| found.pid != own && found.command.contains(text)).map(|f| f.pid).collect()
}

/// Forks, double-forks into a session of its own, ignores SIGTERM in one of them, and says when
/// all five are there.
fn script(mark: &str) -> String {
    format!(
        "sleep {mark} & \
         (sleep {mark} &) ; \
         setsid sh -c 'sleep {mark} & sleep {mark}' & \
         setsid sh -c 'trap \"\" TERM; (sleep {mark} &)' ; \
         sleep 0.2; echo ready; echo complaint >&2; wait"
    )
}

fn shell(folder: &Path, script: &str) -> Program {
    Program {
        path: "/bin/sh".into(),
        args: vec!["-c".into(), OsString::from(script)],
        env: vec![("MARK".into(), "1".into())],
        without_env: Vec::new(),
        log: folder.join("logs/program.log"),
    }
}

async fn start(folder: &Path, mark: &str) -> Supervised {
    let mut supervised = supervisor().spawn(&shell(folder, &script(mark))).expect("it starts");
    let ready = |line: &str| (line == "ready").then_some(());
    supervised.wait_for_line(LIMIT, ready).await.expect("it says so");
    // Each `sleep`, and the shells whose command lines have the mark too.
    until("all sleep", || with_text(&format!("sleep {mark}")).len() >= 5).await;
    supervised
}

#[tokio::test]
async fn nothing_is_left_after_a_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let mark = mark(1);
    let supervised = start(folder.path(), &mark).await;
    let scratch = supervised.scratch().to_owned();
    assert!(scratch.is_dir());
    assert_eq!(supervised.has_exited(), None);
    assert!(supervised.shutdown().await);
    assert_eq!(with_text(&mark), [0; 0]);
    assert!(!scratch.exists());
    let log = fs_err::read_to_string(folder.path().join("logs/program.log")).unwrap();
    assert_eq!(log, "ready\ncomplaint\n");
}

#[tokio::test]
async fn nothing_is_left_after_a_drop() {
    let folder = tempfile::tempdir().unwrap();
    let mark = mark(2);
    let supervised = start(folder.path(), &mark).await;
    let scratch = supervised.scratch().to_owned();
    drop(supervised);
    until("all are gone", || with_text(&mark).is_empty() && !scratch.exists()).await;
}

#[tokio::test]
async fn nothing_is_left_after_the_parent_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mark = mark(3);
    let log = folder.path().join("program.log");
    let mut parent = std::process::Command::new(env!("CARGO_BIN_EXE_supervise"))
        .arg("hold")
        .arg(&log)
        .args(["/bin/sh", "-c", &script(&mark)])
        .spawn()
        .unwrap();
    until("all sleep", || with_text(&format!("sleep {mark}")).len() >= 5).await;
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("all are gone", || with_text(&mark).is_empty()).await;
}

#[tokio::test]
async fn nothing_is_left_after_the_program_ended_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mark = mark(4);
    let script = format!("setsid sleep {mark} & echo ready; exit 3");
    let mut supervised = supervisor().spawn(&shell(folder.path(), &script)).unwrap();
    let never = supervised.wait_for_line(LIMIT, |_| None::<()>).await;
    assert_eq!(never, Err(NoLine::Exited("exit status: 3".to_owned())));
    assert_eq!(supervised.has_exited().as_deref(), Some("exit status: 3"));
    until("all are gone", || with_text(&mark).is_empty()).await;
}

#[tokio::test]
async fn nothing_is_left_after_the_supervisor_got_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let mark = mark(5);
    let supervised = start(folder.path(), &mark).await;
    let pid = Pid::from_raw(supervised.supervisor_id().unwrap() as i32);
    // A Ctrl-C goes to the process group of the terminal, which is ours and not theirs.
    assert_eq!(getpgid(Some(pid)).unwrap(), pid);
    for found in descendants(pid.as_raw() as u32) {
        let group = getpgid(Some(Pid::from_raw(found.pid as i32)));
        assert_ne!(group, getpgid(None), "{}", found.command);
    }
    kill(pid, Signal::SIGTERM).unwrap();
    until("all are gone", || with_text(&mark).is_empty()).await;
}

#[tokio::test]
async fn a_program_that_is_killed_or_missing_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut killed = supervisor().spawn(&shell(folder.path(), "kill -9 $$")).unwrap();
    let end = killed.wait_for_line(LIMIT, |_| None::<()>).await;
    assert_eq!(end, Err(NoLine::Exited("signal: 9 (SIGKILL)".to_owned())));

    let missing = Program { path: "/nonexistent".into(), ..shell(folder.path(), "") };
    let mut missing = supervisor().spawn(&missing).unwrap();
    let end = missing.wait_for_line(LIMIT, |_| None::<()>).await;
    assert!(
        matches!(&end, Err(NoLine::Exited(how)) if how.starts_with("can't be started: ")),
        "{end:?}"
    );
}

#[tokio::test]
async fn a_parent_that_does_not_read_blocks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; sleep 1000";
    let supervised = supervisor().spawn(&shell(folder.path(), script)).unwrap();
    let log = folder.path().join("logs/program.log");
    until("the last line is logged", || {
        fs_err::read_to_string(&log).is_ok_and(|text| text.ends_with("line 19999\n"))
    })
    .await;
    assert!(supervised.shutdown().await);
}
