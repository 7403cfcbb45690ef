//! Answers every request with one file: what HTTP over loopback costs at an answer's size, before
//! anybody looks at the request. One thread a connection and nothing but std, so that `bench/run`
//! builds it with rustc in a second.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err(std::io::Error::other("usage: constant ADDRESS FILE"));
    };
    let body = std::fs::read(file)?;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
    let mut answer = format!("{head}{}\r\n\r\n", body.len()).into_bytes();
    answer.extend(body);
    let answer: Arc<[u8]> = answer.into();
    for connection in TcpListener::bind(address)?.incoming() {
        let (connection, answer) = (connection?, answer.clone());
        std::thread::spawn(move || serve(connection, &answer));
    }
    Ok(())
}

fn serve(mut connection: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    let mut filled = 0;
    loop {
        let read = connection.read(&mut buffer[filled..])?;
        filled += read;
        if read == 0 {
            return Ok(());
        }
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            connection.write_all(answer)?;
            filled = 0;
        }
    }
}
