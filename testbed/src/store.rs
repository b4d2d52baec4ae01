//! Buckets, objects, versions and uploads in memory. One lock around all of it makes every conditional write atomic:
//! the condition is looked at and the object put in place while nobody else can do either.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use crate::digest::{hex, md5};
use crate::moment::Moment;

/// How one bucket behaves. Everything absent is as a new bucket of AWS has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Its region; absent: the server's.
    pub region: Option<String>,
    /// Whether requests without a signature may read and list.
    pub public: bool,
    /// Whether `x-amz-request-payer: requester` is demanded.
    pub requester_pays: bool,
    /// Whether old versions are kept.
    pub versioning: bool,
    /// Whether a PUT must carry Content-MD5 or a checksum.
    pub object_lock: bool,
    /// What `x-amz-server-side-encryption` must say in a PUT or Create: `AES256` or `aws:kms`.
    pub demand_sse: Option<String>,
    /// What objects are encrypted with where the request does not say; absent: `AES256`.
    pub default_sse: Option<String>,
    /// Whether a policy refuses every PUT and Complete without `If-None-Match`.
    pub demand_if_none_match: bool,
    /// What becomes of conditions on writes.
    pub conditions: Conditions,
    /// Actions such as `s3:GetObject` that a policy refuses to everybody.
    pub denied: Vec<String>,
}

/// What the store does with `If-None-Match` of a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conditions {
    /// As AWS: looked at and kept, atomically.
    #[default]
    Kept,
    /// As stores that do not know it: not looked at.
    Ignored,
    /// As stores that know that they do not know it: 501.
    Refused,
}

/// One object's content and what was said with it.
#[derive(Clone, Debug)]
pub struct Object {
    /// The bytes.
    pub body: Arc<Vec<u8>>,
    /// The ETag without its quotes.
    pub etag: String,
    /// Headers to give back: content type, `x-amz-meta-…`, encryption, storage class.
    pub headers: Vec<(String, String)>,
    /// The checksum's header and value; a composite one ends in `-N`.
    pub checksum: Option<(String, String)>,
}

impl Object {
    /// An object as a plain PUT makes it.
    pub fn new(body: Arc<Vec<u8>>, headers: Vec<(String, String)>) -> Object {
        Object {
            etag: hex(&md5(&body)),
            body,
            headers,
            checksum: None,
        }
    }

    /// The value of a header that was kept.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        Some(value)
    }
}

/// One entry in the history of a key.
#[derive(Clone, Debug)]
pub struct Version {
    /// `null` in a bucket without versioning.
    pub id: String,
    /// When it was put there.
    pub modified: Moment,
    /// Absent: a delete marker.
    pub object: Option<Object>,
}

/// One bucket.
#[derive(Debug, Default)]
pub struct Bucket {
    /// How it behaves.
    pub settings: Settings,
    /// Histories by key, in the order of the keys' bytes; the newest version last. Invariant: no history is empty.
    pub keys: BTreeMap<String, Vec<Version>>,
}

impl Bucket {
    /// What a plain GET of the key finds.
    pub fn current(&self, key: &str) -> Option<&Version> {
        self.keys.get(key)?.last()
    }

    /// Whether a plain GET of the key finds an object.
    pub fn holds(&self, key: &str) -> bool {
        self.current(key)
            .is_some_and(|version| version.object.is_some())
    }
}

/// A part of an upload under way.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its bytes.
    pub body: Arc<Vec<u8>>,
    /// Its MD5, which is its ETag in hex.
    pub md5: [u8; 16],
    /// Its checksum's header and value.
    pub checksum: Option<(String, String)>,
}

/// A multipart upload under way.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Where its object will be.
    pub bucket: String,
    /// And under which key.
    pub key: String,
    /// What was said at its creation.
    pub headers: Vec<(String, String)>,
    /// `SHA256` and the like, where Create named one.
    pub algorithm: Option<String>,
    /// When it was created.
    pub initiated: Moment,
    /// The parts by number.
    pub parts: BTreeMap<u32, Part>,
}

/// All that is stored.
#[derive(Debug, Default)]
pub struct State {
    /// Buckets by name.
    pub buckets: BTreeMap<String, Bucket>,
    /// Uploads by id.
    pub uploads: BTreeMap<String, Upload>,
    /// Numbers given out, for ids of versions and uploads.
    numbers: u64,
}

impl State {
    /// An id that was not given out before, and that looks like S3's own.
    pub fn fresh_id(&mut self) -> String {
        self.numbers += 1;
        // Hashed, so that nobody reads an order into it.
        let seed = format!("id {}", self.numbers);
        crate::digest::base64(&crate::digest::sha256(seed.as_bytes())).replace(['+', '/', '='], "_")
    }

    /// Puts an object under its key and gives back the id of its version. None where the bucket does not exist.
    pub fn insert(
        &mut self,
        bucket: &str,
        key: &str,
        object: Option<Object>,
        now: Moment,
    ) -> Option<String> {
        let versioning = self.buckets.get(bucket)?.settings.versioning;
        let id = if versioning {
            self.fresh_id()
        } else {
            "null".into()
        };
        let bucket = self.buckets.get_mut(bucket)?;
        let history = bucket.keys.entry(key.to_owned()).or_default();
        history.retain(|version| version.id != id);
        if object.is_some() || versioning {
            history.push(Version {
                id: id.clone(),
                modified: now,
                object,
            });
        }
        if history.is_empty() {
            bucket.keys.remove(key);
        }
        Some(id)
    }
}

/// The one place that holds the state.
#[derive(Debug, Default)]
pub struct Store(Mutex<State>);

impl Store {
    /// The state, for as long as the guard lives nobody else's.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .expect("no thread panics while it holds the store")
    }

    /// Makes a bucket, or changes the settings of the one that is there.
    pub fn bucket(&self, name: &str, settings: Settings) {
        self.lock().buckets.entry(name.into()).or_default().settings = settings;
    }

    /// Puts an object there without any request; the bucket is made where it is missing.
    pub fn put(&self, bucket: &str, key: &str, body: impl Into<Vec<u8>>) {
        self.put_with(bucket, key, Object::new(Arc::new(body.into()), Vec::new()));
    }

    /// [`Store::put`] with headers, such as `x-amz-storage-class: GLACIER`.
    pub fn put_with(&self, bucket: &str, key: &str, object: Object) {
        let mut state = self.lock();
        state.buckets.entry(bucket.into()).or_default();
        state.insert(bucket, key, Some(object), Moment::now());
    }

    /// Deletes an object without any request; whether there was one.
    pub fn delete(&self, bucket: &str, key: &str) -> bool {
        let mut state = self.lock();
        let there = state
            .buckets
            .get(bucket)
            .is_some_and(|bucket| bucket.holds(key));
        if there {
            state.insert(bucket, key, None, Moment::now());
        }
        there
    }

    /// The current object under a key.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Object> {
        self.lock()
            .buckets
            .get(bucket)?
            .current(key)?
            .object
            .clone()
    }

    /// The keys below a prefix that hold an object, in order.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let state = self.lock();
        let Some(bucket) = state.buckets.get(bucket) else {
            return Vec::new();
        };
        bucket
            .keys
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(key, _)| bucket.holds(key))
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Uploads that were neither completed nor aborted: id, bucket, key and the numbers of their parts.
    pub fn uploads(&self) -> Vec<(String, String, String, Vec<u32>)> {
        let state = self.lock();
        let of = |(id, upload): (&String, &Upload)| {
            let numbers = upload.parts.keys().copied().collect();
            (
                id.clone(),
                upload.bucket.clone(),
                upload.key.clone(),
                numbers,
            )
        };
        state.uploads.iter().map(of).collect()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.buckets.clear();
        state.uploads.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories() {
        let store = Store::default();
        store.put("b", "k", "1");
        store.put("b", "k", "2");
        assert_eq!(
            store.lock().buckets["b"].keys["k"].len(),
            1,
            "without versioning the old one goes"
        );
        let versioning = Settings {
            versioning: true,
            ..Settings::default()
        };
        store.bucket("b", versioning);
        store.put("b", "k", "3");
        assert!(store.delete("b", "k"));
        assert_eq!(
            store.lock().buckets["b"].keys["k"].len(),
            3,
            "null, one version, one marker"
        );
        assert!(store.object("b", "k").is_none());
        assert!(store.keys("b", "").is_empty());
        store.put("b", "l", "");
        store.put("b", "m/a", "");
        assert_eq!(store.keys("b", "m"), ["m/a"]);
    }
}
