//! How the process learns that it is to end well: SIGTERM, where there are signals.

use std::io;
use std::sync::Arc;

use polling::Poller;

/// Tells from now on whether the process was asked to end, and wakes the poller when it is.
#[cfg(unix)]
pub(super) fn asked(poller: &Arc<Poller>) -> io::Result<impl Fn() -> bool + use<>> {
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    let (mut woken, wakes) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGTERM, wakes)?;
    let asked = Arc::new(AtomicBool::new(false));
    let (told, poller) = (Arc::clone(&asked), Arc::clone(poller));
    thread::spawn(move || {
        if woken.read_exact(&mut [0]).is_ok() {
            told.store(true, Ordering::Release);
            // Without it the process notices with the next thing that happens.
            let _ = poller.notify();
        }
    });
    Ok(move || asked.load(Ordering::Acquire))
}

/// Nobody asks.
#[cfg(not(unix))]
pub(super) fn asked(_: &Arc<Poller>) -> io::Result<impl Fn() -> bool + use<>> {
    Ok(|| false)
}
