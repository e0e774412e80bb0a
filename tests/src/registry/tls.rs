//! A certificate for a registry on loopback, and the authority that signed it,
//! which nobody knows: made by `keytool`, which comes with every Java.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Of stores that are gone with the test.
pub const PASSWORD: &str = "changeit";

/// What the server needs, and what its clients do.
#[derive(Debug)]
pub struct Tls {
    pub port: u16,
    /// The server's key and certificates.
    pub store: PathBuf,
    /// The authority, as PEM.
    pub ca: PathBuf,
}

impl Tls {
    /// All files into this folder.
    pub fn create(folder: &Path, port: u16) -> Tls {
        let store = folder.join("server.p12");
        let authority = folder.join("ca.p12");
        let ca = folder.join("ca.pem");
        let request = folder.join("server.csr");
        let signed = folder.join("server.pem");
        let of_authority = Keytool {
            alias: "ca",
            store: &authority,
        };
        let of_server = Keytool {
            alias: "server",
            store: &store,
        };

        let is_authority = ["-ext", "bc:c", "-ext", "ku:c=keyCertSign"];
        of_authority.pair("CN=An authority of the tests", &is_authority);
        of_authority.run("-exportcert", &["-rfc"], &[("-file", &ca)]);
        of_server.pair("CN=registry", &[]);
        of_server.run("-certreq", &[], &[("-file", &request)]);
        of_authority.run(
            "-gencert",
            &["-rfc", "-ext", "san=ip:127.0.0.1"],
            &[("-infile", &request), ("-outfile", &signed)],
        );
        // One file with the whole chain, from the server's own on.
        let chain = [&signed, &ca].map(|file| fs::read_to_string(file).expect("it was made"));
        fs::write(&signed, chain.concat()).expect("it can be written");
        of_server.run("-importcert", &["-noprompt"], &[("-file", &signed)]);
        Tls { port, store, ca }
    }
}

/// One store and one entry of it.
struct Keytool<'a> {
    alias: &'a str,
    store: &'a Path,
}

impl Keytool<'_> {
    /// A new key, and a certificate by itself.
    fn pair(&self, name: &str, more: &[&str]) {
        let key = ["-dname", name, "-keyalg", "EC", "-validity", "30"];
        self.run("-genkeypair", &[&key, more].concat(), &[]);
    }

    fn run(&self, what: &str, more: &[&str], files: &[(&str, &Path)]) {
        let mut keytool = Command::new("keytool");
        keytool.args([what, "-alias", self.alias, "-storetype", "PKCS12"]);
        keytool
            .args(["-storepass", PASSWORD, "-keystore"])
            .arg(self.store);
        keytool.args(more);
        for (flag, file) in files {
            keytool.arg(flag).arg(file);
        }
        let output = keytool
            .output()
            .unwrap_or_else(|error| panic!("cannot run keytool: {error}: run .ci/setup test"));
        assert!(
            output.status.success(),
            "keytool {what} failed: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
