"""The main operations, asked by boto3 of the server that the environment names. Ends with an exception where one fails."""
import base64
import hashlib
import urllib.request

import boto3
import botocore.config
import botocore.exceptions

config = botocore.config.Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, region_name="us-east-1")
s3 = boto3.client("s3", config=config)


def refused(status, code, function, **arguments):
    try:
        function(**arguments)
    except botocore.exceptions.ClientError as error:
        answer = error.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == status, answer
        assert answer["Error"]["Code"] == code, answer
        assert answer["ResponseMetadata"]["RequestId"] and answer["ResponseMetadata"]["HostId"], answer
        return
    raise AssertionError(f"{function.__name__} was not refused with {code}")


# One object, with each of the checksums that the server knows, and the key that signers get wrong.
key = "p q/+%~*'()/é\u4e2d//../x"
for algorithm, name in (("CRC32", "ChecksumCRC32"), ("SHA256", "ChecksumSHA256")):
    put = s3.put_object(Bucket="b", Key=key, Body=b"hello", Metadata={"nonce": "n"}, ChecksumAlgorithm=algorithm)
    assert put["ETag"] == '"5d41402abc4b2a76b9719d911017c592"' and put[name], put
get = s3.get_object(Bucket="b", Key=key, ChecksumMode="ENABLED")
assert get["Body"].read() == b"hello" and get["Metadata"] == {"nonce": "n"}, get
assert get["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
assert s3.get_object(Bucket="b", Key=key, Range="bytes=1-2", IfMatch=put["ETag"])["Body"].read() == b"el"
assert s3.head_object(Bucket="b", Key=key)["ContentLength"] == 5
refused(412, "PreconditionFailed", s3.get_object, Bucket="b", Key=key, IfMatch='"other"')
refused(404, "NoSuchKey", s3.get_object, Bucket="b", Key="none")
refused(404, "404", s3.head_object, Bucket="b", Key="none")
refused(404, "NoSuchBucket", s3.get_object, Bucket="none", Key="none")
refused(412, "PreconditionFailed", s3.put_object, Bucket="b", Key=key, Body=b"", IfNoneMatch="*")
assert s3.put_object(Bucket="b", Key="new", Body=b"", IfNoneMatch="*")["ETag"]
presigning = boto3.client("s3", config=config.merge(botocore.config.Config(signature_version="s3v4")))
url = presigning.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": key}, ExpiresIn=60)
assert urllib.request.urlopen(url).read() == b"hello"

# Listings in pages, odd keys included.
for number in range(25):
    s3.put_object(Bucket="b", Key=f"list/{number:02} +&<é", Body=b"")
pages = s3.get_paginator("list_objects_v2").paginate(Bucket="b", Prefix="list/", PaginationConfig={"PageSize": 10})
assert [o["Key"] for page in pages for o in page["Contents"]] == [f"list/{n:02} +&<é" for n in range(25)]
folders = s3.list_objects_v2(Bucket="b", Delimiter="/")
assert [p["Prefix"] for p in folders["CommonPrefixes"]] == ["list/", "p q/"], folders

# An upload in parts, its checksums, its condition and its end.
part = bytes(5 * 1024 * 1024)
upload = s3.create_multipart_upload(Bucket="b", Key="big", ChecksumAlgorithm="SHA256")
assert [u["Key"] for u in s3.list_multipart_uploads(Bucket="b")["Uploads"]] == ["big"]
common = {"Bucket": "b", "Key": "big", "UploadId": upload["UploadId"]}
parts = []
for number, body in ((1, part), (2, b"end")):
    done = s3.upload_part(**common, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
    parts.append({"PartNumber": number, "ETag": done["ETag"], "ChecksumSHA256": done["ChecksumSHA256"]})
refused(400, "InvalidPartOrder", s3.complete_multipart_upload, **common, MultipartUpload={"Parts": parts[::-1]})
done = s3.complete_multipart_upload(**common, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
assert done["ETag"].endswith('-2"') and done["ChecksumSHA256"].endswith("-2"), done
assert s3.head_object(Bucket="b", Key="big")["ContentLength"] == len(part) + 3
upload = s3.create_multipart_upload(Bucket="b", Key="big", ChecksumAlgorithm="SHA256")
common["UploadId"] = upload["UploadId"]
done = s3.upload_part(**common, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256")
only = [{"PartNumber": 1, "ETag": done["ETag"], "ChecksumSHA256": done["ChecksumSHA256"]}]
refused(412, "PreconditionFailed", s3.complete_multipart_upload, **common, MultipartUpload={"Parts": only}, IfNoneMatch="*")
s3.abort_multipart_upload(**common)
refused(404, "NoSuchUpload", s3.abort_multipart_upload, **common)

# Versions.
first = s3.put_object(Bucket="versions", Key="k", Body=b"1")["VersionId"]
s3.put_object(Bucket="versions", Key="k", Body=b"2")
assert s3.get_object(Bucket="versions", Key="k", VersionId=first)["Body"].read() == b"1"
assert s3.delete_object(Bucket="versions", Key="k")["DeleteMarker"] is True
refused(404, "NoSuchKey", s3.get_object, Bucket="versions", Key="k")
refused(501, "NotImplemented", s3.get_object_tagging, Bucket="b", Key="new")

print("all of it works")
