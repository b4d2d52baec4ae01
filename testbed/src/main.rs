//! `testbed-s3`: the server as a process, for scripts and for tests in other languages. It prints export lines once it
//! listens, and ends when its standard input ends, so that it never outlives whoever started it.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use testbed::server::{Server, Settings};
use testbed::tls::Kind;

const USAGE: &str = "\
testbed-s3: a strict S3 in memory, on loopback, until its standard input ends

    testbed-s3 --dir DIR [--port N] [--control-port N] [--bucket NAME]... [--settings FILE] [--forever]

DIR (made where missing) gets ca.pem, other-ca.pem and, once the server listens, env: the export lines that also go
to standard output. Ports that are not given are free ones. NAME: a bucket to make (absent: windrow-test). FILE: the
settings' JSON, as the control protocol has it. --forever: do not look at standard input, end by a signal.
";

struct Options {
    dir: PathBuf,
    port: u16,
    control_port: u16,
    buckets: Vec<String>,
    settings: Settings,
    forever: bool,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprintln!("testbed-s3: {what}\n\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testbed-s3: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        dir: PathBuf::new(),
        port: 0,
        control_port: 0,
        buckets: Vec::new(),
        settings: Settings::default(),
        forever: false,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        let port = |text: String| {
            text.parse::<u16>()
                .map_err(|_| format!("{text} is not a port"))
        };
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--dir" => options.dir = value()?.into(),
            "--port" => options.port = port(value()?)?,
            "--control-port" => options.control_port = port(value()?)?,
            "--bucket" => options.buckets.push(value()?),
            "--settings" => {
                let path = value()?;
                let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
                options.settings =
                    serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
            }
            "--forever" => options.forever = true,
            other => return Err(format!("{other} is not an option")),
        }
    }
    if options.dir.as_os_str().is_empty() {
        return Err("--dir is missing".into());
    }
    if options.buckets.is_empty() {
        options.buckets.push("windrow-test".into());
    }
    Ok(Some(options))
}

fn run(options: &Options) -> io::Result<()> {
    let server = Server::start_on(options.port, options.settings.clone())?;
    let control = server.control(options.control_port)?;
    let https = server.listen(Kind::Trusted)?;
    for bucket in &options.buckets {
        server
            .store()
            .bucket(bucket, testbed::store::Settings::default());
    }
    fs::create_dir_all(&options.dir)?;
    let dir = fs::canonicalize(&options.dir)?;
    fs::write(dir.join("ca.pem"), server.shared().authority.pem())?;
    fs::write(
        dir.join("other-ca.pem"),
        server.shared().authority.other_pem(),
    )?;
    let mut lines = exports(&server, &dir);
    lines += &format!("export TESTBED_S3_HTTPS=https://{https}\n");
    lines += &format!("export TESTBED_CONTROL=http://{control}\n");
    lines += &format!("export TESTBED_BUCKET={}\n", options.buckets[0]);
    // Renamed into place, so that whoever waits for the file finds it whole.
    fs::write(dir.join("env.new"), &lines)?;
    fs::rename(dir.join("env.new"), dir.join("env"))?;
    let mut out = io::stdout();
    out.write_all(lines.as_bytes())?;
    out.flush()?;
    if options.forever {
        loop {
            std::thread::park();
        }
    }
    let mut sink = [0; 1024];
    while io::stdin().read(&mut sink)? > 0 {}
    Ok(())
}

fn exports(server: &Server, dir: &Path) -> String {
    let settings = server.shared().settings();
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let mut lines = format!("export AWS_ENDPOINT_URL_S3={}\n", server.url());
    if let Some(key) = settings.keys.first() {
        lines += &format!("export AWS_ACCESS_KEY_ID={}\n", quoted(&key.access_key));
        lines += &format!("export AWS_SECRET_ACCESS_KEY={}\n", quoted(&key.secret_key));
        if let Some(token) = &key.session_token {
            lines += &format!("export AWS_SESSION_TOKEN={}\n", quoted(token));
        }
    }
    lines += &format!("export AWS_REGION={}\n", quoted(&settings.region));
    let pem = |name: &str| quoted(&dir.join(name).display().to_string());
    lines += &format!("export AWS_CA_BUNDLE={}\n", pem("ca.pem"));
    lines + &format!("export TESTBED_OTHER_CA={}\n", pem("other-ca.pem"))
}
