//! Which name servers the system has, by `/etc/resolv.conf`.
//!
//! Only its addresses are used. A file that is not there means a name server on this machine, as it does for
//! every resolver.

use std::fs::File;
use std::io;
use std::io::Read;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::SocketAddrV6;

use resolv_conf::Config;
use resolv_conf::ScopedIp;

use crate::error::DiscoveryError;

/// The name servers, in the order to ask them.
pub(super) fn nameservers() -> Result<Vec<SocketAddr>, DiscoveryError> {
    let no_nameserver = |reason| DiscoveryError::NoNameserver { reason };
    if !cfg!(unix) {
        return Err(no_nameserver(format!("this system has no {PATH}")));
    }
    let text = read().map_err(|error| no_nameserver(format!("{PATH}: {error}")))?;
    let nameservers = parse(&text);
    if nameservers.is_empty() {
        return Err(no_nameserver(format!(
            "{PATH} has no address that can be used"
        )));
    }
    Ok(nameservers)
}

fn read() -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    match File::open(PATH) {
        Ok(file) => file.take(FILE_BYTES).read_to_end(&mut text).map(|_| text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(text),
        Err(error) => Err(error),
    }
}

/// Lines that cannot be read are passed over, as every resolver does.
fn parse(text: &[u8]) -> Vec<SocketAddr> {
    let (config, _) = Config::parse_with_errors(text);
    let mut nameservers: Vec<SocketAddr> = Vec::new();
    for address in config.get_nameservers_or_local() {
        // The number of an interface that has only its name here cannot be found without asking the
        // system in C.
        let address = match address {
            ScopedIp::V4(address) => SocketAddr::from((IpAddr::V4(address), PORT)),
            ScopedIp::V6(address, None) => SocketAddr::from((IpAddr::V6(address), PORT)),
            ScopedIp::V6(address, Some(scope)) => match scope.parse() {
                Ok(scope) => SocketAddrV6::new(address, PORT, 0, scope).into(),
                Err(_) => continue,
            },
        };
        if !nameservers.contains(&address) && nameservers.len() < NAMESERVERS {
            nameservers.push(address);
        }
    }
    nameservers
}

const PATH: &str = "/etc/resolv.conf";

/// The port of DNS.
const PORT: u16 = 53;

/// How much of the file is read: many times what one has.
const FILE_BYTES: u64 = 64 * 1024;

/// How many name servers count, as in resolv.conf(5): with more, each would get too little of the time.
const NAMESERVERS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &[u8]) -> Vec<String> {
        parse(text).iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn the_first_three_name_servers_are_taken_in_their_order() {
        let text = b"# one\nsearch example.com\nnameserver 10.0.0.2\nnameserver ::1 \n\
            options ndots:5 what:9\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\n\
            nameserver fe80::1%2\nnameserver 10.0.0.3\n";
        assert_eq!(
            addresses(text),
            ["10.0.0.2:53", "[::1]:53", "[fe80::1%2]:53"]
        );
    }

    #[test]
    fn without_a_name_server_this_machine_is_asked() {
        assert_eq!(addresses(b""), ["127.0.0.1:53", "[::1]:53"]);
    }

    #[test]
    fn lines_that_cannot_be_read_are_passed_over() {
        let text =
            b"nameserver\nnameserver x\n\xff\xff\nnonsense\noptions ndots:x\nnameserver 10.0.0.2";
        assert_eq!(addresses(text), ["10.0.0.2:53"]);
    }
}
