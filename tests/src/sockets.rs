//! How many connections a process has to a port, as the kernel counts them.
//!
//! The server's own side cannot tell: its gateway dials its own client port. So we look at the
//! client process's open files and match their socket numbers with the kernel's table.

use std::collections::HashSet;
use std::fs;
use std::io;

/// The established TCP connections of process `pid` whose other end is `port`; none if the
/// process is gone.
pub(crate) fn connections(pid: u32, port: u16) -> io::Result<usize> {
    let inodes = match socket_inodes(pid) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        inodes => inodes?,
    };
    let mut count = 0;
    for table in ["tcp", "tcp6"] {
        // A system without IPv6 has no second table, a process that just ended has neither.
        let table = match fs::read_to_string(format!("/proc/{pid}/net/{table}")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            table => table?,
        };
        count += table
            .lines()
            .skip(1)
            .filter_map(established)
            .filter(|(remote_port, inode)| *remote_port == port && inodes.contains(inode))
            .count();
    }
    Ok(count)
}

fn socket_inodes(pid: u32) -> io::Result<HashSet<u64>> {
    let mut inodes = HashSet::new();
    for file in fs::read_dir(format!("/proc/{pid}/fd"))? {
        // A file closed since the listing has no target any more.
        let Ok(target) = fs::read_link(file?.path()) else {
            continue;
        };
        let inode = target.to_str().and_then(|target| {
            target
                .strip_prefix("socket:[")?
                .strip_suffix(']')?
                .parse()
                .ok()
        });
        inodes.extend::<Option<u64>>(inode);
    }
    Ok(inodes)
}

/// The remote port and the inode of one line of the kernel's table, if it is established.
fn established(line: &str) -> Option<(u16, u64)> {
    let mut fields = line.split_whitespace();
    let remote = fields.nth(2)?;
    let state = fields.next()?;
    let inode = fields.nth(5)?.parse().ok()?;
    let (_, port) = remote.rsplit_once(':')?;
    (state == "01").then_some((u16::from_str_radix(port, 16).ok()?, inode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::net::TcpStream;

    #[test]
    fn only_the_dialling_side_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let me = std::process::id();
        assert_eq!(connections(me, port).unwrap(), 0);

        let open: Vec<_> = (0..3)
            .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
            .collect();
        assert_eq!(connections(me, port).unwrap(), 3);
        assert_eq!(connections(1, port).unwrap_or(0), 0);

        drop(open);
        assert_eq!(connections(me, port).unwrap(), 0);
    }
}
