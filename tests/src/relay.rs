//! A relay before a container engine that kills a process in the middle of a request: once the
//! engine has begun to answer, and before the process hears of it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

/// Relays connections to a socket, until the test ends.
pub struct Relay {
    /// Where it listens, as a host's setting `endpoint`.
    pub endpoint: String,
    fuse: Arc<Mutex<Option<Fuse>>>,
}

/// Whom to kill, and at which request from now.
struct Fuse {
    pid: u32,
    request: u32,
}

/// What is known of one connection.
#[derive(Default)]
struct Line {
    /// Whether a request was sent that nothing was answered to yet.
    is_waiting: bool,
    /// Whom to kill at the answer.
    doomed: Option<u32>,
}

impl Relay {
    /// Listens before the engine's socket.
    pub fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let fuse = Arc::default();
        let shared = Arc::clone(&fuse);
        thread::spawn(move || accept(&listener, &socket, &shared));
        Self { endpoint, fuse }
    }

    /// Kills the process when the engine answers the `request`th from now, counted from 1.
    pub fn arm(&self, pid: u32, request: u32) {
        *self.fuse.lock().unwrap() = Some(Fuse { pid, request });
    }

    /// Kills nobody from now on; answers whether nobody was killed yet.
    pub fn disarm(&self) -> bool {
        self.fuse.lock().unwrap().take().is_some()
    }
}

fn accept(listener: &TcpListener, socket: &Path, fuse: &Arc<Mutex<Option<Fuse>>>) {
    for client in listener.incoming() {
        // Without an engine, the client finds its connection closed.
        let (Ok(client), Ok(engine)) = (client, UnixStream::connect(socket)) else { continue };
        let ends = (client.try_clone().unwrap(), engine.try_clone().unwrap());
        let line: Arc<Mutex<Line>> = Arc::default();
        let (same_line, fuse) = (line.clone(), fuse.clone());
        thread::spawn(move || {
            send(client, engine, &line, &fuse);
        });
        thread::spawn(move || answer(ends.1, ends.0, &same_line));
    }
}

fn send(
    mut client: TcpStream,
    mut engine: UnixStream,
    line: &Mutex<Line>,
    fuse: &Mutex<Option<Fuse>>,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let mut line = line.lock().unwrap();
        if !line.is_waiting {
            *line = Line { is_waiting: true, doomed: burn(fuse) };
        }
        drop(line);
        if engine.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop(engine.shutdown(Shutdown::Write));
}

fn answer(mut engine: UnixStream, mut client: TcpStream, line: &Mutex<Line>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = engine.read(&mut buffer) {
        let Line { doomed, .. } = std::mem::take(&mut *line.lock().unwrap());
        if let Some(pid) = doomed {
            let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            assert!(killed.unwrap().success());
            break;
        }
        if client.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop(client.shutdown(Shutdown::Both));
}

/// Counts a request; answers whom to kill once it is answered.
fn burn(fuse: &Mutex<Option<Fuse>>) -> Option<u32> {
    let mut fuse = fuse.lock().unwrap();
    let Fuse { pid, request } = fuse.take()?;
    if request == 1 {
        return Some(pid);
    }
    *fuse = Some(Fuse { pid, request: request - 1 });
    None
}
