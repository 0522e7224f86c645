//! `etcd-sim serve`: a simulated etcd on real loopback ports.

mod options;

use std::io::Write;
use std::process::ExitCode;

use etcd_sim::serve;
use options::Command;

fn main() -> ExitCode {
    let arguments = std::env::args().skip(1).collect();
    let version = std::env::var(options::VERSION).ok();
    let options = match options::parse(arguments, version.as_deref()) {
        Ok(Command::Serve(options)) => options,
        Ok(Command::Say(text)) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("etcd-sim: {error}");
            return ExitCode::from(2);
        }
    };
    let told = serve::serve(&options, |addresses| {
        for (member, address) in addresses.iter().enumerate() {
            println!("member {member} is at http://{address}");
        }
        // Whoever started us may wait for these lines.
        let _ = std::io::stdout().flush();
    });
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let folder = options.data_dir.as_ref().map(|folder| folder.display());
            let folder = folder.map_or_else(String::new, |folder| format!(", data in {folder}"));
            eprintln!("etcd-sim: {error}{folder}");
            ExitCode::FAILURE
        }
    }
}
