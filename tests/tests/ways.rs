//! Every way to reach a real etcd, on both drivers.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "../../discovery/tests/server/mod.rs"]
#[allow(dead_code, reason = "it can do more than is asked of it here")]
mod name_server;

use std::net::Ipv6Addr;
use std::net::TcpListener;
use std::time::Duration;

use etcd_core::Config;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::VersionRequest;
use etcd_core::Watch;
use etcd_core::WatchEvent;
use etcd_discovery::Discovery;
use etcd_tests::Cluster;
use etcd_tests::Nginx;
use etcd_tests::Proxy;
use etcd_tests::Server;
use etcd_tests::driver::Driver;
use etcd_tests::driver::Watching;
use etcd_tests::find;

/// Each test on both drivers.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_std {
            $(#[test]
            fn $name() {
                super::$name::<etcd_std::Client>();
            })+
        }
        mod on_smol {
            $(#[test]
            fn $name() {
                super::$name::<etcd_smol::Client>();
            })+
        }
    };
}

on_both!(
    a_socket_of_the_file_system_leads_to_a_server,
    a_socket_that_is_not_there_is_told,
    an_ipv6_address_leads_to_a_server,
    a_reverse_proxy_has_the_server_below_a_path,
    a_name_servers_records_lead_to_a_cluster,
    a_proxy_opens_tunnels,
    a_proxy_that_opens_no_tunnel_says_why,
    a_proxy_is_asked_in_absolute_form,
);

const LONG: Duration = Duration::from_secs(20);

/// Writes, reads and watches.
#[track_caller]
fn is_used<D: Driver>(client: &D) {
    let put = client.call(Put::new("way", "1")).unwrap();
    let revision = put.header.revision;
    let watch = Watch::key("way").with_start_revision(revision);
    let mut watch = client.watch(watch).unwrap();
    let read = client.call(Range::key("way")).unwrap();
    assert_eq!(read.kvs[0].mod_revision, revision);
    client.call(Put::new("way", "2")).unwrap();
    let mut values = Vec::new();
    while values.len() < 2 {
        match watch.next_within(LONG).unwrap() {
            Some(WatchEvent::Batch(batch)) => {
                values.extend(batch.events.iter().map(|event| event.kv.value.clone()));
            }
            Some(WatchEvent::End(end)) => panic!("{end}"),
            Some(_) => {}
            None => panic!("it has ended"),
        }
    }
    assert_eq!(values, ["1", "2"]);
}

fn a_socket_of_the_file_system_leads_to_a_server<D: Driver>() {
    let server = Server::start_with_socket(&find::find().unwrap()).unwrap();
    let endpoint = format!("unix://{}", server.socket().display());
    let client = D::with_config(Config::new([&endpoint]).unwrap());
    is_used(&client);
    // The same server under two addresses, of two kinds.
    let both = Config::new([endpoint, server.endpoint()]).unwrap();
    is_used(&D::with_config(both));
}

fn a_socket_that_is_not_there_is_told<D: Driver>() {
    let mut config = Config::new(["unix:///nowhere/etcd.sock"]).unwrap();
    config.read_timeout = Duration::from_millis(200);
    let error = D::with_config(config).call(Range::key("k")).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("No such file"), "{text}");
}

fn an_ipv6_address_leads_to_a_server<D: Driver>() {
    let Ok(there) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        eprintln!("this machine has no IPv6");
        return;
    };
    let port = there.local_addr().unwrap().port();
    drop(there);
    let endpoint = format!("http://[::1]:{port}");
    let server = Server::start_with_url(&find::find().unwrap(), &endpoint).unwrap();
    is_used(&D::with_config(Config::new([endpoint]).unwrap()));
    drop(server);
}

fn a_reverse_proxy_has_the_server_below_a_path<D: Driver>() {
    let server = Server::start().unwrap();
    let nginx = Nginx::start(server.client_port()).unwrap();
    let client = D::with_config(Config::new([nginx.endpoint()]).unwrap());
    is_used(&client);
    assert!(client.call(VersionRequest::new()).is_ok());
    // The path is the endpoint's, not the client's.
    let both = Config::new([nginx.endpoint(), server.endpoint()]).unwrap();
    let both = D::with_config(both);
    for _ in 0..4 {
        both.call(Range::key("way")).unwrap();
    }
    let mut wrong = Config::new([nginx.endpoint().replace("/etcd", "/etc")]).unwrap();
    wrong.read_timeout = Duration::from_secs(1);
    let error = D::with_config(wrong).call(Range::key("k")).unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");
}

fn a_proxy_opens_tunnels<D: Driver>() {
    let server = Server::start().unwrap();
    // me:swordfish
    let proxy = Proxy::tunnelling("Proxy-Authorization: Basic bWU6c3dvcmRmaXNo\r\n").unwrap();
    let mut config = Config::new([server.endpoint()]).unwrap();
    let through: etcd_core::Proxy = proxy.endpoint().parse().unwrap();
    config.proxy = Some(through.with_credentials("me", "swordfish").unwrap());
    is_used(&D::with_config(config));
    assert!(proxy.accepted() >= 2, "{}", proxy.accepted());
}

fn a_proxy_that_opens_no_tunnel_says_why<D: Driver>() {
    let proxy = Proxy::tunnelling("Proxy-Authorization: Basic").unwrap();
    let mut config = Config::new(["http://127.0.0.1:1"]).unwrap();
    config.read_timeout = Duration::from_millis(300);
    config.proxy = Some(proxy.endpoint().parse().unwrap());
    let error = D::with_config(config.clone()).call(Range::key("k"));
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("407") && text.contains("with_credentials"),
        "{text}"
    );

    // Nobody listens there.
    let through: etcd_core::Proxy = proxy.endpoint().parse().unwrap();
    config.proxy = Some(through.with_credentials("me", "").unwrap());
    let error = D::with_config(config).call(Range::key("k")).unwrap_err();
    assert!(error.to_string().contains("502 Bad Gateway"), "{error}");
}

fn a_proxy_is_asked_in_absolute_form<D: Driver>() {
    let server = Server::start().unwrap();
    let nginx = Nginx::forwarding().unwrap();
    let mut config = Config::new([server.endpoint()]).unwrap();
    let through: etcd_core::Proxy = nginx.address().parse().unwrap();
    config.proxy = Some(through.with_absolute_form());
    let client = D::with_config(config);
    is_used(&client);
    assert!(client.call(VersionRequest::new()).is_ok());
}

/// As etcdctl does with `--discovery-srv`; then the members themselves say where they are.
fn a_name_servers_records_lead_to_a_cluster<D: Driver>() {
    const NAME: &str = "_etcd-client._tcp.example.com";
    let mut cluster = Cluster::start(3).unwrap();
    let records: Vec<_> = (0..3)
        .map(|place| (NAME, 0, 0, cluster.server(place).client_port(), "localhost"))
        .collect();
    // The name server's thread may outlive this function.
    let names = name_server::Server::with_records(records.leak());
    let mut discovery = Discovery::new("example.com").unwrap().allow_insecure();
    let endpoints = discovery.resolve_with(&[names.address()]).unwrap();
    assert_eq!(endpoints.len(), 3);
    let config = Config::new(endpoints.iter().map(ToString::to_string)).unwrap();
    let client = D::with_config(config);
    is_used(&client);
    client.sync().unwrap();
    cluster.server_mut(0).kill().unwrap();
    for _ in 0..6 {
        assert_eq!(client.call(Range::key("way")).unwrap().kvs.len(), 1);
    }
}
