//! Which store a URI means: a directory, or a bucket reached as the configuration says. Made once a run; everything that
//! talks to S3 shares its connections, credentials and counts.

use std::sync::Arc;

use crate::config::S3;
use crate::config::aws::Aws;
use crate::config::https::Https;
use crate::config::s3::{InputAccess, OutputSse};
use crate::config::uri::{FileUri, InputUri, OutputUri, TextUri};
use crate::error::{Error, Result};
use crate::http::tls::Trust;
use crate::http::{Client as Http, Header, Transport};
use crate::log::Event;
use crate::manifest::Requests;
use crate::s3::{
    Access, Client, Counters, Credentials, Encryption, Endpoint, Settings, Side, World,
};
use crate::store::file::FileStore;
use crate::store::https::HttpsStore;
use crate::store::object::ObjectStore;
use crate::store::{Pattern, Readable, Store};
use crate::supervise::Context;
use crate::task::Task;

/// The stores of a run.
#[derive(Debug)]
pub(super) struct Stores {
    buckets: Option<Buckets>,
    web: Option<Web>,
}

/// How `https://` objects are reached.
#[derive(Debug)]
struct Web {
    transport: Arc<dyn Transport>,
    headers: Vec<Header>,
}

/// How buckets are reached.
#[derive(Debug)]
struct Buckets {
    world: World,
    credentials: Arc<Credentials>,
    s3: S3,
}

impl Stores {
    /// Loads what must be trusted; asks nothing of the network yet.
    ///
    /// # Errors
    /// 78 for an AWS_CA_BUNDLE that cannot be used.
    pub(super) fn new(context: &Context, s3: Option<&S3>, https: Option<&Https>) -> Result<Self> {
        let of_s3 = s3.map(|s3| (&s3.aws.ca_bundle, &s3.aws.proxies));
        let of_https = https.map(|https| (&https.ca_bundle, &https.proxies));
        let Some((ca_bundle, proxies)) = of_s3.or(of_https) else {
            return Ok(Self {
                buckets: None,
                web: None,
            });
        };
        warn_of_proxies(context, proxies);
        let trust = Trust::load(ca_bundle.as_deref())?;
        let transport: Arc<dyn Transport> = Arc::new(Http::new(context.clock.clone(), trust));
        Ok(Self {
            buckets: s3.map(|s3| Buckets::new(context, transport.clone(), s3)),
            web: https.map(|https| Web {
                transport,
                headers: https
                    .headers
                    .iter()
                    .map(|(name, value)| Header::new(name, value.expose()))
                    .collect(),
            }),
        })
    }

    /// Where runs put their artifacts, or, as [`Side::Input`], one run that is only read, by `verify`.
    ///
    /// # Errors
    /// 70; the configuration has what each of its URIs needs.
    pub(super) fn runs(&self, uri: &OutputUri, side: Side) -> Result<Arc<dyn Store>> {
        Ok(match (uri, side) {
            (OutputUri::File(uri), Side::Output) => {
                Arc::new(FileStore::output(uri.path().as_ref()))
            }
            (OutputUri::File(uri), Side::Input) => Arc::new(FileStore::run(uri.path().as_ref())),
            (OutputUri::S3(uri), side) => {
                let client = self.buckets()?.client(&uri.bucket, side);
                Arc::new(ObjectStore::new(client, &uri.prefix))
            }
        })
    }

    /// Where an element of INPUT is, and which of the objects there it names.
    ///
    /// # Errors
    /// 78 where it is no pattern.
    pub(super) fn input(&self, uri: &InputUri) -> Result<(Arc<dyn Readable>, Pattern)> {
        Ok(match uri {
            InputUri::File(pattern) => {
                let uri = pattern.to_string();
                let (store, pattern) =
                    FileStore::input(uri.strip_prefix("file://").unwrap_or(&uri))?;
                (Arc::new(store), pattern)
            }
            InputUri::S3(pattern) => {
                let client = self.buckets()?.client(&pattern.bucket, Side::Input);
                let keys = Pattern::of_keys(&pattern.key)
                    .map_err(|fault| Error::defect("listing INPUT", fault))?;
                (Arc::new(ObjectStore::new(client, "")), keys)
            }
            InputUri::Https(uri) => (self.web()?, Pattern::literal(uri.expose())),
        })
    }

    /// Where a text is, and its key there.
    ///
    /// # Errors
    /// As [`Self::input`].
    pub(super) fn text(&self, uri: &TextUri) -> Result<(Arc<dyn Readable>, String)> {
        Ok(match uri {
            TextUri::File(uri) => {
                let (store, key) = whole_file(uri)?;
                (Arc::new(store), key)
            }
            TextUri::S3(object) => {
                let client = self.buckets()?.client(&object.bucket, Side::Input);
                (Arc::new(ObjectStore::new(client, "")), object.key.clone())
            }
            TextUri::Https(uri) => (self.web()?, uri.expose().to_owned()),
        })
    }

    /// The ECS task that the run is in, where its metadata endpoint is named. One that does not answer is a warning.
    pub(super) fn task(&self, context: &Context, uri: Option<&str>) -> Option<Task> {
        let uri = uri?;
        let read = || {
            let transport: Arc<dyn Transport> =
                Arc::new(Http::new(context.clock.clone(), Trust::compiled_in()?));
            Task::read(uri, &transport, &context.stop)
        };
        match read() {
            Ok(task) => {
                context.log.name_task(&task.arn);
                Some(task)
            }
            Err(error) => {
                context.log.event(&Event::warning(error.to_string()));
                None
            }
        }
    }

    /// Sends of one create-only request (S3_ATTEMPTS).
    pub(super) fn attempts(&self) -> u32 {
        self.buckets
            .as_ref()
            .map_or(1, |buckets| buckets.s3.attempts)
    }

    /// What was asked of S3 so far.
    pub(super) fn requests(&self) -> Requests {
        let Some(buckets) = &self.buckets else {
            return Requests::default();
        };
        let counts = buckets.world.counters.counts();
        Requests {
            requests: counts.requests,
            attempts: counts.attempts,
            bytes_in: counts.bytes_in,
            bytes_out: counts.bytes_out,
        }
    }

    /// Directory markers that listings skipped so far.
    pub(super) fn markers(&self) -> u64 {
        let buckets = self.buckets.as_ref();
        buckets.map_or(0, |buckets| buckets.world.counters.counts().markers)
    }

    fn web(&self) -> Result<Arc<HttpsStore>> {
        let missing = || Error::defect("opening an https:// URI", "no settings for it");
        let web = self.web.as_ref().ok_or_else(missing)?;
        let store = HttpsStore::new(web.transport.clone(), web.headers.clone());
        Ok(Arc::new(store))
    }

    fn buckets(&self) -> Result<&Buckets> {
        let missing = || Error::defect("opening a bucket", "no settings for S3");
        self.buckets.as_ref().ok_or_else(missing)
    }
}

impl Buckets {
    fn new(context: &Context, transport: Arc<dyn Transport>, s3: &S3) -> Self {
        let source = s3.aws.credentials.clone();
        let credentials = Credentials::new(source, transport.clone(), context.clock.clone());
        Self {
            world: World {
                transport,
                clock: context.clock.clone(),
                random: context.random.clone(),
                counters: Arc::new(Counters::default()),
            },
            credentials: Arc::new(credentials),
            s3: s3.clone(),
        }
    }

    fn client(&self, bucket: &str, side: Side) -> Client {
        let S3 {
            aws,
            attempts,
            input_access,
            input_region,
            output_sse,
        } = &self.s3;
        let own = aws.region.clone().unwrap_or_default();
        let credentials = || Arc::clone(&self.credentials);
        let (region, access, encryption) = match side {
            Side::Input => {
                let access = match input_access {
                    InputAccess::Signed => Access::Signed(credentials()),
                    InputAccess::RequesterPays => Access::RequesterPays(credentials()),
                    InputAccess::Unsigned => Access::Unsigned,
                };
                (input_region.clone().unwrap_or(own), access, None)
            }
            Side::Output => {
                let encryption = output_sse.as_ref().map(|sse| match sse {
                    OutputSse::Aes256 => Encryption::Aes256,
                    OutputSse::Kms(key) => Encryption::Kms(key.clone()),
                });
                (own, Access::Signed(credentials()), encryption)
            }
        };
        let settings = Settings {
            endpoint: endpoint(aws, &region),
            region,
            access,
            encryption,
            attempts: *attempts,
            side,
        };
        Client::new(self.world.clone(), bucket.to_owned(), settings)
    }
}

fn endpoint(aws: &Aws, region: &str) -> Endpoint {
    match &aws.endpoint {
        Some(base) => Endpoint::Custom { base: base.clone() },
        None => Endpoint::Aws {
            region: region.to_owned(),
        },
    }
}

/// Tells of proxy variables that are set.
pub(super) fn warn_of_proxies(context: &Context, names: &[&'static str]) {
    for name in names {
        let text = format!("{name} is set and not used: windrow connects directly");
        let event = Event::warning(text).with("variable", *name);
        context.log.event(&event);
    }
}

/// The store and key of one file, in which a `*` is a character like any other.
fn whole_file(uri: &FileUri) -> Result<(FileStore, String)> {
    let (directory, name) = uri.path().rsplit_once('/').unwrap_or(("", uri.path()));
    let (store, _) = FileStore::input(&format!("{directory}/"))?;
    Ok((store, name.to_owned()))
}
