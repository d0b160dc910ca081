//! Hostile addresses, each with the reason for which it is not fetched; no byte goes anywhere for them.

use repaint_core::ErrorKind;
use repaint_fetch::Fetcher;

use crate::scripted::Names;

const SCHEME: &str = "only http and https are fetched";
const USER: &str = "has a user or a password in it";
const PORT: &str = "only ports 80, 443 and 1024 and above are fetched from";
const NO_ADDRESS: &str = "is no address:";
const CHARACTER: &str = "has a backslash or a control character in it";
const NEARBY: &str = "has a name that leads to something nearby";
const LOOPBACK: &str = "is at an address that is loopback;";
const PRIVATE: &str = "is at an address that is private;";
const LINK_LOCAL: &str = "is at an address that is link-local;";
const THIS: &str = "is at an address that is this machine;";
const SHARED: &str = "is at an address that is shared by the customers of a provider;";
const METADATA: &str = "is at an address that is where a cloud keeps secrets";
const RESERVED: &str = "is at an address that is reserved;";
const DOCUMENTATION: &str = "is at an address that is for documentation;";
const BENCHMARKS: &str = "is at an address that is for benchmarks;";
const MULTICAST: &str = "is at an address that is multicast;";
const BROADCAST: &str = "is at an address that is broadcast;";
const TUNNEL: &str = "is at an address that is a tunnel;";

const TABLE: &[(&str, &[&str])] = &[
    (
        SCHEME,
        &[
            "file:///etc/passwd",
            "file://localhost/etc/passwd",
            "FILE:///etc/passwd",
            "ftp://ftp.example.com/cat.png",
            "ftps://ftp.example.com/cat.png",
            "sftp://files.example.com/cat.png",
            "tftp://10.0.0.1/cat.png",
            "gopher://10.0.0.1:6379/_FLUSHALL",
            "dict://127.0.0.1:11211/stats",
            "ldap://127.0.0.1/",
            "jar:http://example.com/a.zip!/cat.png",
            "data:image/png;base64,iVBORw0KGgo=",
            "javascript:alert(1)",
            "blob:https://example.com/0c1f",
            "about:blank",
            "ws://example.com/cat.png",
            "wss://example.com/cat.png",
            "unix:///var/run/docker.sock",
            "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
            "php://filter/resource=/etc/passwd",
            "netdoc:///etc/passwd",
            "s3://bucket/cat.png",
            "view-source:http://example.com/",
            "localhost:8080/cat.png",
        ],
    ),
    (
        USER,
        &[
            "https://user@example.com/cat.png",
            "https://user:hunter2@example.com/cat.png",
            "https://:hunter2@example.com/cat.png",
            "https://example.com@127.0.0.1/",
            "https://example.com:443@127.0.0.1/",
            "http://127.0.0.1@example.com/",
            "https://example.com%2f@127.0.0.1/",
            "https://example.com%23@127.0.0.1/",
            "https:user:hunter2@example.com/",
            "https:/user:hunter2@example.com/",
            "https:////user:hunter2@example.com/",
            "http://a@b@127.0.0.1/",
            "http://1.1.1.1 &@2.2.2.2/",
            "http://foo@evil.example:80@127.0.0.1/",
        ],
    ),
    (
        PORT,
        &[
            "http://example.com:0/",
            "http://example.com:1/",
            "http://example.com:21/",
            "http://example.com:22/",
            "http://example.com:23/",
            "http://example.com:25/",
            "http://example.com:53/",
            "http://example.com:110/",
            "https://example.com:465/",
            "http://example.com:1023/",
            "http://example.com:2049/",
            "http://example.com:5060/",
            "http://example.com:6000/",
            "http://example.com:6667/",
            "http://example.com:10080/",
        ],
    ),
    (
        NO_ADDRESS,
        &[
            "",
            "cat.png",
            "/etc/passwd",
            "../cat.png",
            "//example.com/cat.png",
            "http://",
            "http:///",
            "http://?",
            "https://#",
            "http://:80/",
            "http://example.com:65536/",
            "http://example.com:-1/",
            "http://example.com:80a/",
            "http://exa mple.com/",
            "http://exa%00mple.com/",
            "http://exa<mple.com/",
            "http://127.0.0.1%0d%0aX:1/",
            "http://[::1/",
            "http://[::1%25lo]/",
            "http://[::1%lo]/",
            "http://[fe80::1%eth0]/",
            "http://[1::2::3]/",
            "http://[127.0.0.1]/",
            "http://[localhost]/",
            "http://256.256.256.256/",
            "http://1.2.3.4.5/",
            "http://0x100000000/",
            "http://4294967296/",
            "http://127.0.0.1.5/",
            "http://example.0/",
            "http://user:hunter2@/",
            "http://xn--a/",
        ],
    ),
    (
        CHARACTER,
        &[
            "http://127.0.0.1\\@example.com/",
            "http://example.com\\@127.0.0.1/",
            "http:\\\\127.0.0.1/",
            "http://example.com\r\nHost: 127.0.0.1/",
            "ht\ntp://127.0.0.1/",
            "http://127.0\t.0.1/",
            "http://example.com/\0.png",
            "\u{1}http://127.0.0.1/",
            "http://example.com/\u{7f}",
        ],
    ),
    (
        NEARBY,
        &[
            "http://localhost/",
            "http://LOCALHOST/",
            "http://localhost./",
            "http://localhost:8080/",
            "http://%6c%6f%63%61%6c%68%6f%73%74/",
            "http://ｌｏｃａｌｈｏｓｔ/",
            "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
            "http://foo.localhost/",
            "http://printer.local/",
            "http://printer.LOCAL./",
            "http://printer。local/",
            "http://router.home.arpa/",
            "http://metadata.google.internal/computeMetadata/v1/",
            "http://metadata.google.internal./computeMetadata/v1/",
            "http://metadata。google。internal/",
            "http://METADATA.GOOGLE.INTERNAL/",
            "http://instance-data.ec2.internal/latest/",
            "http://metadata/computeMetadata/v1/",
            "http://instance-data/latest/meta-data/",
            "http://intranet/",
            "http://kubernetes/",
            "http://redis:6379/",
            "http://service.namespace.svc.cluster.local/",
            "http://abcdefghijklmnop.onion/",
        ],
    ),
    (
        LOOPBACK,
        &[
            "http://127.0.0.1/",
            "https://127.0.0.1/",
            "http://127.0.0.1:8080/",
            "http://127.0.0.1./",
            "http://127.1/",
            "http://127.0.1/",
            "http://127.255.255.254/",
            "http://2130706433/",
            "http://017700000001/",
            "http://0177.0.0.1/",
            "http://0177.0.0.01/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://0x7F.0x0.0x0.0x1/",
            "http://0x7f.0.1/",
            "http://%31%32%37.0.0.1/",
            "http://127%2e0%2e0%2e1/",
            "http://①②⑦.⓪.⓪.①/",
            "http://１２７.０.０.１/",
            "http://127。0。0。1/",
            "http://127．0．0．1/",
            "http://127｡0｡0｡1/",
            "  http://127.0.0.1/  ",
            "http:127.0.0.1/",
            "http:/127.0.0.1/",
            "http:////127.0.0.1/",
            "HtTp://127.0.0.1/",
            "http://@127.0.0.1/",
            "http://127.0.0.1:80/",
            "http://127.0.0.1:/",
            "http://127.0.0.1?@example.com/",
            "http://127.0.0.1#@example.com/",
            "http://127.0.0.1/@example.com/",
            "http://[::1]/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://[0000:0000:0000:0000:0000:0000:0000:0001]/",
            "http://[::0.0.0.1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[0:0:0:0:0:FFFF:127.0.0.1]/",
            "http://[64:ff9b::127.0.0.1]/",
            "http://ip-127-0-0-1.example/",
            "http://ip-127-0-0-1.example./",
            "http://ip6---1.example/",
            "http://ip6---ffff-7f00-1.example/",
        ],
    ),
    (
        PRIVATE,
        &[
            "http://10.0.0.1/",
            "http://10.255.255.255/",
            "http://167772161/",
            "http://0xa.0.0.1/",
            "http://012.1/",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.168.0.1/",
            "http://192.168.1/",
            "http://0xc0a80001/",
            "http://[::ffff:10.0.0.1]/",
            "http://[::ffff:c0a8:1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[fc00::1]/",
            "http://[fd12:3456:789a::1]/",
            "http://[fec0::1]/",
            "http://ip-10-0-0-1.example/",
            "http://ip-192-168-0-1.example/",
            "https://ip-172-16-0-1.example/",
            "http://ip6-fd00--1.example/",
            "http://ip6-64-ff9b--a00-1.example/",
            "http://both.example/",
            "http://both-other-way-round.example/",
        ],
    ),
    (
        LINK_LOCAL,
        &[
            "http://169.254.0.1/",
            "http://169.254.255.255/",
            "http://[fe80::1]/",
            "http://[febf::1]/",
            "http://ip-169-254-1-1.example/",
            "http://ip6-fe80--1.example/",
        ],
    ),
    (
        THIS,
        &[
            "http://0.0.0.0/",
            "http://0/",
            "http://0x0/",
            "http://0.1.2.3/",
            "http://[::]/",
            "http://[::ffff:0.0.0.0]/",
            "http://ip-0-0-0-0.example/",
            "http://ip6---.example/",
        ],
    ),
    (
        METADATA,
        &[
            "http://169.254.169.254/latest/meta-data/",
            "http://2852039166/latest/meta-data/",
            "http://0xa9fea9fe/",
            "http://0251.0376.0251.0376/",
            "http://169.254.43518/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://169.254.170.2/v2/credentials/",
            "http://100.100.100.200/latest/meta-data/",
            "http://168.63.129.16/machine?comp=goalstate",
            "http://192.0.0.192/latest/",
            "http://[fd00:ec2::254]/latest/meta-data/",
            "http://[fd20:ce::254]/",
            "http://ip-169-254-169-254.example/",
            "http://ip6-fd00-ec2--254.example/",
        ],
    ),
    (SHARED, &["http://100.64.0.1/", "http://100.127.255.255/", "http://ip-100-64-0-1.example/"]),
    (
        RESERVED,
        &[
            "http://240.0.0.1/",
            "http://255.255.255.254/",
            "http://192.0.0.1/",
            "http://192.0.0.170/",
            "http://[::127.0.0.1]/",
            "http://[::10.0.0.1]/",
            "http://[::8.8.8.8]/",
            "http://[::2]/",
            "http://[::ffff:0:127.0.0.1]/",
            "http://[64:ff9b:1::a00:1]/",
            "http://[100::1]/",
            "http://[2001:10::1]/",
            "http://[2001:20::1]/",
            "http://[4000::1]/",
            "http://[5f00::1]/",
            "http://[e000::1]/",
        ],
    ),
    (
        DOCUMENTATION,
        &[
            "http://192.0.2.1/",
            "http://198.51.100.1/",
            "http://203.0.113.1/",
            "http://[2001:db8::1]/",
            "http://[3fff::1]/",
        ],
    ),
    (BENCHMARKS, &["http://198.18.0.1/", "http://198.19.255.255/", "http://[2001:2::1]/"]),
    (
        MULTICAST,
        &["http://224.0.0.1/", "http://239.255.255.255/", "http://[ff02::1]/", "http://[ff0e::1]/"],
    ),
    (BROADCAST, &["http://255.255.255.255/", "http://4294967295/", "http://0xffffffff/"]),
    (
        TUNNEL,
        &[
            "http://192.88.99.1/",
            "http://[2002:7f00:1::]/",
            "http://[2002:a00:1::1]/",
            "http://[2002:808:808::1]/",
            "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
        ],
    ),
    ("has a host whose name cannot be looked up", &["http://nowhere.example/"]),
    ("has a host whose name has no address", &["http://empty.example/"]),
];

fn names() -> Names {
    Names::default()
        .and("both.example", &[&["93.184.216.34", "10.0.0.1"]])
        .and("both-other-way-round.example", &[&["10.0.0.1", "93.184.216.34"]])
        .and("empty.example", &[&[]])
}

#[tokio::test]
async fn every_hostile_address_is_refused_for_its_reason() {
    let fetcher = Fetcher::builder().resolve(names()).build();
    let (mut count, mut wrong) = (0, Vec::new());
    for (reason, addresses) in TABLE {
        for address in *addresses {
            count += 1;
            let Err(err) = fetcher.fetch(address).await else {
                wrong.push(format!("{address:?} was fetched"));
                continue;
            };
            if !err.message().contains(reason) {
                wrong.push(format!("{address:?} is refused for another reason: {err}"));
            }
            let lookup = reason.contains("looked up");
            let kind = if lookup { ErrorKind::Unavailable } else { ErrorKind::InvalidRequest };
            if err.kind() != kind {
                wrong.push(format!("{address:?} is {:?}", err.kind()));
            }
            if err.message().contains("hunter2") || err.message().contains("10.9.8.7") {
                wrong.push(format!("{address:?} tells too much: {err}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(150 < count, "{count}");
}

#[tokio::test]
async fn an_address_without_end_is_refused_unread() {
    let fetcher = Fetcher::builder().resolve(names()).build();
    let address = format!("https://example.com/{}", "a".repeat(10_000));
    let err = fetcher.fetch(&address).await.expect_err("too long");
    assert!(err.message().contains("no more than 8192 are read"), "{err}");
    assert!(err.message().len() < 300, "{err}");
}

#[tokio::test]
async fn what_shows_by_itself_is_never_looked_up() {
    let names = names();
    let fetcher = Fetcher::builder().resolve(names.clone()).build();
    for reason in [NEARBY, PORT, USER, SCHEME, METADATA] {
        let (_, addresses) = TABLE.iter().find(|it| it.0 == reason).expect("a row");
        for address in addresses.iter().filter(|it| !it.contains("//ip")) {
            fetcher.fetch(address).await.expect_err(address);
        }
    }
    assert_eq!(names.asked(), [""; 0]);
}
