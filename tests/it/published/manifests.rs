//! Each rule of the schemas, with a manifest that keeps it and one that breaks it, put to a real API server.

use serde_json::Value;

use super::reading;
use super::server::{CONSUMER, Mode, SOURCE, SUBSCRIPTION, Server, patched};

/// What a rule is about, a patch with which the base still passes, one with which it does not, and what is then said.
type Rule = (&'static str, &'static str, &'static str, &'static str);

/// Checks that each rule lets the one manifest through, as something that the operator can read, and refuses the other for the
/// reason given.
async fn check(prefix: &str, base: &str, rules: &[Rule], read: fn(Value)) {
    let server = Server::open(prefix).await;
    let mut wrong = Vec::new();
    for (what, accepted, refused, says) in rules {
        match server.put(&patched(base, accepted), Mode::DryRun).await {
            Ok(kept) => read(kept),
            Err(message) => wrong.push(format!("{what}: refused\n  {accepted}\n  {message}")),
        }
        match server.put(&patched(base, refused), Mode::DryRun).await {
            Ok(_) => wrong.push(format!("{what}: accepted\n  {refused}")),
            Err(message) if message.contains(says) => {}
            Err(message) => wrong.push(format!("{what}: refused\n  {refused}\n  for another reason: {message}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const ADDRESS: &str = "must be an absolute http or https address in ASCII";
const PROXY: &str = "must be http, host and port of a forward proxy";
const NO_EXTRAS: &str = "must not have user info, a query or a fragment";
const PRIVATE: &str = "must lie within 10.0.0.0/8";
const RANGE: &str = "must be a range such as 10.20.0.0/16";
const PRODUCTION_HOST: &str = "endpoints must not name a host of the register's production";
const ENDPOINTS: &str = "set datafordeler.endpoints.graphql and datafordeler.endpoints.auth";
const NAME: &str = "must be the name of an object";
const KEY: &str = "must be a key of a Secret or ConfigMap";
const TIME: &str = "must be a time such as 2027-06-01T00:00:00Z";
const BASIS: &str = "must be GDPR-6-1-a to GDPR-6-1-f";
const MUNICIPALITY: &str = "must be the four-digit code of a present municipality";
const GRANTEE: &str = "must be the name of one namespace";
const HOST: &str = "must be a host name in lower case";
const MISSING: &str = "Required value";
const NOT_OFFERED: &str = "Unsupported value";

#[rustfmt::skip]
const SOURCE_RULES: &[Rule] = &[
    ("environment is known", "", "spec: { environment: Staging }", NOT_OFFERED),
    ("environment is given", "", "spec: { environment: null }", MISSING),
    ("one register", "", "spec: { datafordeler: null }", "must name exactly one register, one of: datafordeler"),
    ("credentials are given", "", "spec: { datafordeler: { credentialsRef: null } }", MISSING),
    ("credentials' name", "spec: { datafordeler: { credentialsRef: { name: a.b-1 } } }", "spec: { datafordeler: { credentialsRef: { name: A_b } } }", NAME),
    ("credentials' name is bounded", "", "spec: { datafordeler: { credentialsRef: { name: '' } } }", "should be at least 1 chars long"),
    ("endpoints in Test", "spec: { environment: Production, datafordeler: { endpoints: null } }", "spec: { datafordeler: { endpoints: null } }", ENDPOINTS),
    ("token endpoint in Test", "spec: { environment: Production, datafordeler: { endpoints: null } }", "spec: { datafordeler: { endpoints: { auth: null } } }", ENDPOINTS),
    ("data endpoint in Test", "spec: { environment: Production, datafordeler: { endpoints: null } }", "spec: { datafordeler: { endpoints: { graphql: null } } }", ENDPOINTS),
    ("no production in Test", "spec: { datafordeler: { endpoints: { graphql: 'https://test03-graphql.datafordeler.dk' } } }", "spec: { datafordeler: { endpoints: { graphql: 'https://graphql.datafordeler.dk' } } }", PRODUCTION_HOST),
    ("no production in Test, token endpoint", "spec: { datafordeler: { endpoints: { auth: 'https://test03-auth.datafordeler.dk' } } }", "spec: { datafordeler: { endpoints: { auth: 'https://auth.datafordeler.dk' } } }", PRODUCTION_HOST),
    ("no production in other spellings", "spec: { datafordeler: { endpoints: { graphql: 'https://graphql.datafordeler.dk.example.org' } } }", "spec: { datafordeler: { endpoints: { graphql: 'https://GraphQL.Datafordeler.DK.:443/x' } } }", PRODUCTION_HOST),
    ("production is https", "spec: { environment: Production, datafordeler: { endpoints: { graphql: 'https://a.example.org', auth: 'https://a.example.org' } } }", "spec: { environment: Production, datafordeler: { endpoints: { graphql: 'http://a.example.org', auth: 'https://a.example.org' } } }", "with environment Production, endpoints must start with https://"),
    ("production is https, token endpoint", "spec: { environment: Production, datafordeler: { endpoints: null } }", "spec: { environment: Production, datafordeler: { endpoints: { graphql: null, auth: 'http://a.example.org' } } }", "with environment Production, endpoints must start with https://"),
    ("an address is http", "spec: { datafordeler: { endpoints: { auth: 'http://127.0.0.1:8080/base' } } }", "spec: { datafordeler: { endpoints: { auth: 'ftp://a.example.org' } } }", ADDRESS),
    ("an address has a host", "spec: { datafordeler: { endpoints: { auth: 'http://[::1]:8080' } } }", "spec: { datafordeler: { endpoints: { auth: 'http:///base' } } }", ADDRESS),
    ("an address has a host of letters", "", "spec: { datafordeler: { endpoints: { auth: 'http://a<b.example.org' } } }", ADDRESS),
    ("an address has a port of digits", "", "spec: { datafordeler: { endpoints: { auth: 'http://a.example.org:http' } } }", ADDRESS),
    ("an address has no user", "", "spec: { datafordeler: { endpoints: { auth: 'https://id:secret@a.example.org' } } }", NO_EXTRAS),
    ("an address has no query", "", "spec: { datafordeler: { endpoints: { auth: 'https://a.example.org?key=1' } } }", NO_EXTRAS),
    ("an API key has its place", "spec: { datafordeler: { schemaApiKeyRef: { name: s, key: api_Key.1 } } }", "spec: { datafordeler: { schemaApiKeyRef: { name: s, key: 'a/b' } } }", KEY),
    ("certificates have their place", "spec: { datafordeler: { caBundleRef: { name: c, key: ca.crt } } }", "spec: { datafordeler: { caBundleRef: { name: c } } }", MISSING),
    ("a proxy is http, host and port", "spec: { datafordeler: { proxyUrl: 'http://egress.example.org:3128' } }", "spec: { datafordeler: { proxyUrl: 'http://egress.example.org' } }", PROXY),
    ("a proxy may be an address", "spec: { datafordeler: { proxyUrl: 'http://[fd12:3456::1]:3128/' } }", "spec: { datafordeler: { proxyUrl: 'http://egress.example.org:3128/path' } }", PROXY),
    ("a proxy is spoken to in the clear", "", "spec: { datafordeler: { proxyUrl: 'https://egress.example.org:3128' } }", PROXY),
    ("a proxy is no SOCKS", "", "spec: { datafordeler: { proxyUrl: 'socks5://egress.example.org:1080' } }", PROXY),
    ("a proxy has no user and password", "", "spec: { datafordeler: { proxyUrl: 'http://us:canary@egress.example.org:3128' } }", "must not have a user and a password"),
    ("ranges are ranges", "spec: { datafordeler: { allowedNetworks: [10.30.0.0/16, 'fd12:3456::/48'] } }", "spec: { datafordeler: { allowedNetworks: [10.30.0.1/16] } }", RANGE),
    ("ranges are in CIDR form", "spec: { datafordeler: { allowedNetworks: [192.168.1.7/32] } }", "spec: { datafordeler: { allowedNetworks: [10.30.0.1] } }", RANGE),
    ("ranges are private", "spec: { datafordeler: { allowedNetworks: [172.16.0.0/12, 100.64.0.0/10] } }", "spec: { datafordeler: { allowedNetworks: [0.0.0.0/0] } }", PRIVATE),
    ("loopback is not for users", "", "spec: { datafordeler: { allowedNetworks: [127.0.0.0/8] } }", PRIVATE),
    ("metadata addresses are not for users", "", "spec: { datafordeler: { allowedNetworks: [169.254.169.254/32] } }", PRIVATE),
    ("IPv6 loopback is not for users", "", "spec: { datafordeler: { allowedNetworks: ['::1/128'] } }", PRIVATE),
    ("mapped addresses are not for users", "", "spec: { datafordeler: { allowedNetworks: ['::ffff:127.0.0.1/128'] } }", "must"),
    ("ranges are named once", "", "spec: { datafordeler: { allowedNetworks: [10.0.0.0/8, 10.0.0.0/8] } }", "Duplicate value"),
    ("code forms", "spec: { datafordeler: { municipalityCodes: ThreeDigits } }", "spec: { datafordeler: { municipalityCodes: TwoDigits } }", NOT_OFFERED),
    ("public service only", "spec: { datafordeler: { sector: Public } }", "spec: { datafordeler: { sector: Private } }", NOT_OFFERED),
    ("rhythm, least", "spec: { events: { pollInterval: 1s } }", "spec: { events: { pollInterval: 999ms } }", "must be a duration from 1s to 24h"),
    ("rhythm, most", "spec: { events: { pollInterval: 24h } }", "spec: { events: { pollInterval: 24h1ms } }", "must be a duration from 1s to 24h"),
    ("rhythm has units", "spec: { events: { pollInterval: 1h30m } }", "spec: { events: { pollInterval: '90' } }", "must be a duration from 1s to 24h"),
    ("rhythm has no fractions", "spec: { events: { pollInterval: 90000ms } }", "spec: { events: { pollInterval: 1.5h } }", "must be a duration from 1s to 24h"),
    ("rhythm is positive", "", "spec: { events: { pollInterval: '-60s' } }", "must be a duration from 1s to 24h"),
    ("rhythm can be compared", "", "spec: { events: { pollInterval: 99999h99999h99999h } }", "must be a duration from 1s to 24h"),
    ("loading days", "spec: { events: { calendar: Daily } }", "spec: { events: { calendar: Never } }", NOT_OFFERED),
    ("end of the approval", "spec: { access: { expiresAt: '2027-05-11T00:00:00+02:00' } }", "spec: { access: { expiresAt: '2027-05-11' } }", TIME),
    ("end of the approval exists", "", "spec: { access: { expiresAt: '2027-02-30T00:00:00Z' } }", TIME),
    ("suspending is yes or no", "spec: { suspend: true }", "spec: { suspend: maybe }", "Invalid value"),
    ("credentials have a name", "", "spec: { datafordeler: { credentialsRef: { name: null } } }", MISSING),
    ("the data endpoint is http", "", "spec: { datafordeler: { endpoints: { graphql: 'ftp://a.example.org' } } }", ADDRESS),
    ("the data endpoint has no user", "", "spec: { datafordeler: { endpoints: { graphql: 'https://id@a.example.org' } } }", NO_EXTRAS),
    ("an API key's Secret is named", "", "spec: { datafordeler: { schemaApiKeyRef: { key: k } } }", MISSING),
    ("an API key's Secret has a name", "", "spec: { datafordeler: { schemaApiKeyRef: { name: S, key: k } } }", NAME),
    ("an API key's key is named", "", "spec: { datafordeler: { schemaApiKeyRef: { name: s } } }", MISSING),
    ("certificates' ConfigMap is named", "", "spec: { datafordeler: { caBundleRef: { key: ca.crt } } }", MISSING),
    ("certificates' ConfigMap has a name", "", "spec: { datafordeler: { caBundleRef: { name: C, key: ca.crt } } }", NAME),
    ("certificates' key", "", "spec: { datafordeler: { caBundleRef: { name: c, key: 'a/b' } } }", KEY),
    ("an approval has an end", "", "spec: { access: {} }", MISSING),
    ("a grant names one namespace", "spec: { grants: [{ namespace: a-1, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", "spec: { grants: [{ namespace: '*', sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", GRANTEE),
    ("a grant's namespace has no wildcard", "", "spec: { grants: [{ namespace: 'team-*', sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", GRANTEE),
    ("a grant's namespace is a label", "", "spec: { grants: [{ namespace: a.b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", GRANTEE),
    ("a grant's namespace is given", "", "spec: { grants: [{ sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", MISSING),
    ("one grant for each namespace", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }, { namespace: team-c, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }, { namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", "Duplicate value"),
    ("a grant's sector is given", "", "spec: { grants: [{ namespace: team-b, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", MISSING),
    ("a grant's sector is known", "spec: { grants: [{ namespace: team-b, sector: Private, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", "spec: { grants: [{ namespace: team-b, sector: Both, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", NOT_OFFERED),
    ("a grant's fields are given", "", "spec: { grants: [{ namespace: team-b, sector: Public, municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", MISSING),
    ("a grant's fields are not empty", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", "should have at least 1 items"),
    ("a grant's fields are known", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Income], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", NOT_OFFERED),
    ("a grant's fields are named once", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Name, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", "Duplicate value"),
    ("no permanent identifier for private parties", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [PersonId], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", "spec: { grants: [{ namespace: team-b, sector: Private, fields: [PersonId], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", "PersonId may not be given to sector Private"),
    ("protected persons are decided", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], hosts: ['*.example.org'] }] }", MISSING),
    ("all of protected persons is for public authorities", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Allow, hosts: ['*.example.org'] }] }", "spec: { grants: [{ namespace: team-b, sector: Private, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Allow, hosts: ['*.example.org'] }] }", "Allow needs sector Public"),
    ("a grant's municipalities are real", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851', '0101'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0850'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", MUNICIPALITY),
    ("a grant's municipalities have no wildcard", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: [], protectedPersons: Mask, hosts: ['*.example.org'] }] }", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['*'], protectedPersons: Mask, hosts: ['*.example.org'] }] }", MUNICIPALITY),
    ("everyone and municipalities exclude each other", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], protectedPersons: Mask, hosts: ['*.example.org'], everyone: true }] }", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.example.org'], everyone: true }] }", "everyone covers every municipality"),
    ("hosts are given", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask }] }", MISSING),
    ("hosts are not empty", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: [] }] }", "should have at least 1 items"),
    ("hosts are named once", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: [a.example.org, a.example.org] }] }", "Duplicate value"),
    ("hosts are names", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: [a.example.org, localhost, xn--a.example.org] }] }", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['https://a.example.org'] }] }", HOST),
    ("hosts have no port", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['a.example.org:443'] }] }", HOST),
    ("hosts are in lower case", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: [A.example.org] }] }", HOST),
    ("hosts are in ASCII", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: [æble.example.org] }] }", HOST),
    ("hosts have no dot at the end", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['a.example.org.'] }] }", HOST),
    ("a wildcard is the first label", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.a.example.org'] }] }", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['a.*.example.org'] }] }", HOST),
    ("a wildcard is a whole label", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['a*.example.org'] }] }", HOST),
    ("a wildcard is not everything", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*'] }] }", HOST),
    ("a wildcard stands before two labels", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['*.org'] }] }", "must have at least two labels after '*.'"),
    ("hosts are not numbers", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['10.0.0.1'] }] }", "must be a name, not an address by number"),
    ("hosts' labels are short", "", "spec: { grants: [{ namespace: team-b, sector: Public, fields: [Status, Name], municipalities: ['0851'], protectedPersons: Mask, hosts: ['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org'] }] }", "must have labels of at most 63 characters"),
    ("one worker's memory", "spec: { workers: { resources: { limits: { memory: 1Gi } } } }", "spec: { workers: { resources: { limits: { memory: 1G } } } }", "must be an amount of memory such as 256Mi or 2Gi"),
    ("one worker's processor time", "spec: { workers: { resources: { requests: { cpu: 250m }, limits: { cpu: '1.5' } } } }", "spec: { workers: { resources: { requests: { cpu: '0' } } } }", "must be an amount of processor time such as 250m, 1 or 1.5"),
    ("processor time set aside is within its limit", "spec: { workers: { resources: { requests: { cpu: 1000m }, limits: { cpu: '1' } } } }", "spec: { workers: { resources: { requests: { cpu: '2' }, limits: { cpu: 1500m } } } }", "requests.cpu must not exceed limits.cpu"),
    ("memory set aside is within its limit", "spec: { workers: { resources: { requests: { memory: 1024Mi }, limits: { memory: 1Gi } } } }", "spec: { workers: { resources: { requests: { memory: 1Gi }, limits: { memory: 512Mi } } } }", "requests.memory must not exceed limits.memory"),
    ("nodes are named by labels", "spec: { workers: { nodeSelector: { kubernetes.io/arch: amd64, dedicated: '' } } }", "spec: { workers: { nodeSelector: { 'a b': c } } }", "must have labels of nodes as keys"),
    ("nodes' labels have values", "", "spec: { workers: { nodeSelector: { a: 'b c' } } }", "must have values of labels"),
    ("taints have keys", "spec: { workers: { tolerations: [{ key: example.org/dedicated, value: cpr, effect: NoSchedule }] } }", "spec: { workers: { tolerations: [{ key: 'a b' }] } }", "must be the key of a taint"),
    ("taints have values", "", "spec: { workers: { tolerations: [{ key: a, value: 'b c' }] } }", "must be the value of a taint"),
    ("any value or one", "spec: { workers: { tolerations: [{ key: a, operator: Exists }] } }", "spec: { workers: { tolerations: [{ key: a, operator: Exists, value: b }] } }", "Exists takes no value"),
    ("a key or all", "spec: { workers: { tolerations: [{ operator: Exists }] } }", "spec: { workers: { tolerations: [{ value: b }] } }", "Equal needs a key"),
    ("a node is left in time", "spec: { workers: { tolerations: [{ key: a, value: b, effect: NoExecute, tolerationSeconds: 60 }] } }", "spec: { workers: { tolerations: [{ key: a, value: b, tolerationSeconds: 60 }] } }", "tolerationSeconds needs effect NoExecute"),
];

#[rustfmt::skip]
const CONSUMER_RULES: &[Rule] = &[
    ("it has a name for people", "spec: { displayName: Sagssystem Ærø }", "spec: { displayName: '' }", "at least 1 chars long"),
    ("someone answers for it", "", "spec: { owner: null }", MISSING),
    ("the organisation is named", "", "spec: { owner: { organisation: null } }", MISSING),
    ("a contact is named", "", "spec: { owner: { contact: null } }", MISSING),
    ("organisation numbers", "spec: { owner: { cvr: '12345678' } }", "spec: { owner: { cvr: 'DK123456' } }", "must be a CVR number: eight digits"),
    ("organisation numbers are eight digits", "", "spec: { owner: { cvr: '1234567' } }", "must be a CVR number: eight digits"),
    ("sector is known", "spec: { sector: Private }", "spec: { sector: Other }", NOT_OFFERED),
    ("sector is given", "", "spec: { sector: null }", MISSING),
    ("environment is given", "spec: { environment: Production }", "spec: { environment: null }", MISSING),
    ("a purpose is given", "", "spec: { purposes: [] }", "should have at least 1 items"),
    ("a purpose is described", "", "spec: { purposes: [{ id: a, legalBases: [GDPR-6-1-e] }] }", MISSING),
    ("a purpose has a basis", "", "spec: { purposes: [{ id: a, legalBases: [], description: a }] }", "should have at least 1 items"),
    ("a purpose's id is a label", "spec: { purposes: [{ id: a-1, legalBases: [GDPR-6-1-e], description: a }] }", "spec: { purposes: [{ id: Case Work, legalBases: [GDPR-6-1-e], description: a }] }", "must be lower-case letters, digits and '-'"),
    ("purposes are told apart", "spec: { purposes: [{ id: a, legalBases: [GDPR-6-1-e], description: a }, { id: b, legalBases: [GDPR-6-1-e], description: a }] }", "spec: { purposes: [{ id: a, legalBases: [GDPR-6-1-e], description: a }, { id: a, legalBases: [GDPR-6-1-e], description: b }] }", "Duplicate value"),
    ("bases of article 6", "spec: { purposes: [{ id: a, legalBases: [GDPR-6-1-a, GDPR-6-1-f], description: a }] }", "spec: { purposes: [{ id: a, legalBases: [GDPR-6-1-g], description: a }] }", BASIS),
    ("bases of article 9", "spec: { purposes: [{ id: a, legalBases: [GDPR-9-2-a, GDPR-9-2-j], description: a }] }", "spec: { purposes: [{ id: a, legalBases: [GDPR-9-2-k], description: a }] }", BASIS),
    ("bases of the Danish act", "spec: { purposes: [{ id: a, legalBases: [DBL-11, DBL-11-1, DBL-11-2-3, DBL-13-10], description: a }] }", "spec: { purposes: [{ id: a, legalBases: [DBL-11-], description: a }] }", BASIS),
    ("bases are not free text", "", "spec: { purposes: [{ id: a, legalBases: [because], description: a }] }", BASIS),
    ("fields are known", "spec: { fields: [Number, Custody] }", "spec: { fields: [Number, Household] }", NOT_OFFERED),
    ("fields are given", "", "spec: { fields: [] }", "should have at least 1 items"),
    ("fields are named once", "", "spec: { fields: [Name, Name] }", "Duplicate value"),
    ("a purpose is not wider", "spec: { purposes: [{ id: a, legalBases: [GDPR-6-1-e], fields: [Name], description: a }] }", "spec: { purposes: [{ id: a, legalBases: [GDPR-6-1-e], fields: [Address], description: a }] }", "the fields of a purpose must lie within spec.fields"),
    ("a purpose's fields are not empty", "", "spec: { purposes: [{ id: a, legalBases: [GDPR-6-1-e], fields: [], description: a }] }", "should have at least 1 items"),
    ("church needs article 9", "spec: { fields: [Church], purposes: [{ id: a, legalBases: [GDPR-6-1-e, GDPR-9-2-g], description: a }] }", "spec: { fields: [Church] }", "needs a legal basis GDPR-9-2-a to GDPR-9-2-j"),
    ("church history needs article 9", "spec: { fields: [Name, ChurchHistory], purposes: [{ id: a, legalBases: [GDPR-6-1-e], fields: [Name], description: a }] }", "spec: { fields: [Name, ChurchHistory], purposes: [{ id: a, legalBases: [GDPR-6-1-e], fields: [ChurchHistory], description: a }] }", "needs a legal basis GDPR-9-2-a to GDPR-9-2-j"),
    ("every purpose with church needs article 9", "", "spec: { fields: [Church], purposes: [{ id: a, legalBases: [GDPR-9-2-g], description: a }, { id: b, legalBases: [GDPR-6-1-e], description: b }] }", "needs a legal basis GDPR-9-2-a to GDPR-9-2-j"),
    ("numbers for private parties", "spec: { sector: Private, fields: [Number], purposes: [{ id: a, legalBases: [DBL-11-2-1], description: a }] }", "spec: { sector: Private, fields: [Number] }", "needs a legal basis DBL-11-2"),
    ("numbers for private parties, right subsection", "spec: { sector: Private, fields: [Number], purposes: [{ id: a, legalBases: [DBL-11-2], description: a }] }", "spec: { sector: Private, fields: [Number], purposes: [{ id: a, legalBases: [DBL-11-1, DBL-11-20], description: a }] }", "needs a legal basis DBL-11-2"),
    ("numbers for authorities", "spec: { fields: [Number] }", "spec: { sector: Private, fields: [Name, Number], purposes: [{ id: a, legalBases: [GDPR-6-1-b], fields: [Number], description: a }] }", "needs a legal basis DBL-11-2"),
    ("permanent identifiers", "spec: { fields: [PersonId] }", "spec: { sector: Private, fields: [PersonId] }", "PersonId may not be given to sector Private"),
    ("protection is decided", "spec: { protectedPersons: Deny }", "spec: { protectedPersons: null }", MISSING),
    ("protection's choices", "spec: { protectedPersons: Allow }", "spec: { protectedPersons: Ignore }", NOT_OFFERED),
    ("private parties are not told", "spec: { sector: Private, protectedPersons: Mask }", "spec: { sector: Private, protectedPersons: Allow }", "Allow needs sector Public"),
    ("an address is given", "", "spec: { delivery: { url: null } }", MISSING),
    ("an address is absolute", "spec: { delivery: { url: 'https://a.example.org:8443/a/b' } }", "spec: { delivery: { url: a.example.org/events } }", ADDRESS),
    ("an address is ASCII", "", "spec: { delivery: { url: 'https://æble.example.org/events' } }", ADDRESS),
    ("an address has no blanks", "", "spec: { delivery: { url: \"https://a.example.org/a\\tb\" } }", ADDRESS),
    ("an address has no user", "spec: { delivery: { url: 'https://a.example.org/@b' } }", "spec: { delivery: { url: 'https://user@a.example.org/' } }", NO_EXTRAS),
    ("an address has no query", "", "spec: { delivery: { url: 'https://a.example.org/?' } }", NO_EXTRAS),
    ("an address has no fragment", "", "spec: { delivery: { url: 'https://a.example.org/#top' } }", NO_EXTRAS),
    ("production is https", "spec: { delivery: { url: 'http://a.example.org' } }", "spec: { environment: Production, delivery: { url: 'http://a.example.org' } }", "with environment Production, delivery.url must start with https://"),
    ("signing secrets are given", "", "spec: { delivery: { signingSecretRef: null } }", MISSING),
    ("signing secrets' name", "", "spec: { delivery: { signingSecretRef: { name: -a } } }", NAME),
    ("weak verification in Test", "spec: { delivery: { verification: Status } }", "spec: { environment: Production, delivery: { verification: Status } }", "verification Status is for environment Test only"),
    ("certificates have their place", "spec: { delivery: { caBundleRef: { name: c, key: ca.crt } } }", "spec: { delivery: { caBundleRef: { name: C, key: ca.crt } } }", NAME),
    ("a certificate of ours needs TLS", "spec: { delivery: { clientCertificateRef: { name: c } } }", "spec: { delivery: { url: 'http://a.example.org', clientCertificateRef: { name: c } } }", "a client certificate is shown over TLS only"),
    ("tokens come over TLS", "spec: { delivery: { oauth2: { tokenUrl: 'http://a.example.org/token', clientCredentialsRef: { name: c } } } }", "spec: { environment: Production, delivery: { oauth2: { tokenUrl: 'http://a.example.org/token', clientCredentialsRef: { name: c } } } }", "delivery.oauth2.tokenUrl must start with https://"),
    ("scopes are words", "spec: { delivery: { oauth2: { tokenUrl: 'https://a.example.org/token', clientCredentialsRef: { name: c }, scope: 'api://a/.default b' } } }", "spec: { delivery: { oauth2: { tokenUrl: 'https://a.example.org/token', clientCredentialsRef: { name: c }, scope: 'a  b' } } }", "must be scopes with one space between"),
    ("timeout, least", "spec: { delivery: { timeout: 100ms } }", "spec: { delivery: { timeout: 99ms } }", "must be a duration from 100ms to 60s"),
    ("timeout, most", "spec: { delivery: { timeout: 1m } }", "spec: { delivery: { timeout: 61s } }", "must be a duration from 100ms to 60s"),
    ("in flight, least", "spec: { delivery: { maxInFlight: 1 } }", "spec: { delivery: { maxInFlight: 0 } }", "should be greater than or equal to 1"),
    ("in flight, most", "spec: { delivery: { maxInFlight: 1024 } }", "spec: { delivery: { maxInFlight: 1025 } }", "should be less than or equal to 1024"),
    ("rate, least", "spec: { delivery: { ratePerSecond: 1 } }", "spec: { delivery: { ratePerSecond: 0 } }", "should be greater than or equal to 1"),
    ("rate, most", "spec: { delivery: { ratePerSecond: 100000 } }", "spec: { delivery: { ratePerSecond: 100001 } }", "should be less than or equal to 100000"),
    ("first wait", "spec: { delivery: { retry: { initial: 1s } } }", "spec: { delivery: { retry: { initial: 0s } } }", "must be a duration from 1s to 1h"),
    ("longest wait", "spec: { delivery: { retry: { max: 24h } } }", "spec: { delivery: { retry: { max: 25h } } }", "must be a duration from 1s to 24h"),
    ("giving up", "spec: { delivery: { retry: { giveUpAfter: 720h } } }", "spec: { delivery: { retry: { giveUpAfter: 721h } } }", "must be a duration from 1s to 720h"),
    ("waits grow", "spec: { delivery: { retry: { initial: 60s, max: 1m } } }", "spec: { delivery: { retry: { initial: 61s, max: 1m } } }", "max must be at least initial"),
    ("waits grow, against the default", "spec: { delivery: { retry: { initial: 1h } } }", "spec: { delivery: { retry: { max: 4s } } }", "max must be at least initial"),
    ("ranges are private", "spec: { delivery: { allowedNetworks: [10.20.0.0/16] } }", "spec: { delivery: { allowedNetworks: [11.20.0.0/16] } }", PRIVATE),
    ("a name for people is given", "", "spec: { displayName: null }", MISSING),
    ("purposes are given", "", "spec: { purposes: null }", MISSING),
    ("the most is given", "", "spec: { fields: null }", MISSING),
    ("delivery is given", "", "spec: { delivery: null }", MISSING),
    ("an organisation number is given", "", "spec: { owner: { cvr: null } }", MISSING),
    ("environment is known", "", "spec: { environment: Staging }", NOT_OFFERED),
    ("a purpose's basis is given", "", "spec: { purposes: [{ id: a, description: a }] }", MISSING),
    ("a purpose's bases are named once", "", "spec: { purposes: [{ id: a, legalBases: [GDPR-6-1-e, GDPR-6-1-e], description: a }] }", "Duplicate value"),
    ("a purpose's fields are known", "", "spec: { purposes: [{ id: a, legalBases: [GDPR-6-1-e], fields: [Income], description: a }] }", NOT_OFFERED),
    ("a purpose's fields are named once", "", "spec: { purposes: [{ id: a, legalBases: [GDPR-6-1-e], fields: [Name, Name], description: a }] }", "Duplicate value"),
    ("signing secrets have a name", "", "spec: { delivery: { signingSecretRef: { name: null } } }", MISSING),
    ("ways of verification", "spec: { delivery: { verification: Echo } }", "spec: { delivery: { verification: None } }", NOT_OFFERED),
    ("certificates' ConfigMap is named", "", "spec: { delivery: { caBundleRef: { key: ca.crt } } }", MISSING),
    ("certificates' key is named", "", "spec: { delivery: { caBundleRef: { name: c } } }", MISSING),
    ("certificates' key", "", "spec: { delivery: { caBundleRef: { name: c, key: 'a/b' } } }", KEY),
    ("ranges are ranges", "", "spec: { delivery: { allowedNetworks: [10.20.0.1/16] } }", RANGE),
    ("ranges are named once", "", "spec: { delivery: { allowedNetworks: [10.0.0.0/8, 10.0.0.0/8] } }", "Duplicate value"),
    ("one worker's memory", "spec: { workers: { resources: { limits: { memory: 1Gi } } } }", "spec: { workers: { resources: { limits: { memory: 1G } } } }", "must be an amount of memory such as 256Mi or 2Gi"),
    ("one worker's processor time", "spec: { workers: { resources: { requests: { cpu: 250m }, limits: { cpu: '1.5' } } } }", "spec: { workers: { resources: { requests: { cpu: '0' } } } }", "must be an amount of processor time such as 250m, 1 or 1.5"),
    ("processor time set aside is within its limit", "spec: { workers: { resources: { requests: { cpu: 1000m }, limits: { cpu: '1' } } } }", "spec: { workers: { resources: { requests: { cpu: '2' }, limits: { cpu: 1500m } } } }", "requests.cpu must not exceed limits.cpu"),
    ("memory set aside is within its limit", "spec: { workers: { resources: { requests: { memory: 1024Mi }, limits: { memory: 1Gi } } } }", "spec: { workers: { resources: { requests: { memory: 1Gi }, limits: { memory: 512Mi } } } }", "requests.memory must not exceed limits.memory"),
    ("nodes are named by labels", "spec: { workers: { nodeSelector: { kubernetes.io/arch: amd64, dedicated: '' } } }", "spec: { workers: { nodeSelector: { 'a b': c } } }", "must have labels of nodes as keys"),
    ("nodes' labels have values", "", "spec: { workers: { nodeSelector: { a: 'b c' } } }", "must have values of labels"),
    ("taints have keys", "spec: { workers: { tolerations: [{ key: example.org/dedicated, value: cpr, effect: NoSchedule }] } }", "spec: { workers: { tolerations: [{ key: 'a b' }] } }", "must be the key of a taint"),
    ("taints have values", "", "spec: { workers: { tolerations: [{ key: a, value: 'b c' }] } }", "must be the value of a taint"),
    ("any value or one", "spec: { workers: { tolerations: [{ key: a, operator: Exists }] } }", "spec: { workers: { tolerations: [{ key: a, operator: Exists, value: b }] } }", "Exists takes no value"),
    ("a key or all", "spec: { workers: { tolerations: [{ operator: Exists }] } }", "spec: { workers: { tolerations: [{ value: b }] } }", "Equal needs a key"),
    ("a node is left in time", "spec: { workers: { tolerations: [{ key: a, value: b, effect: NoExecute, tolerationSeconds: 60 }] } }", "spec: { workers: { tolerations: [{ key: a, value: b, tolerationSeconds: 60 }] } }", "tolerationSeconds needs effect NoExecute"),
    ("fewest and most workers", "spec: { workers: { min: 2, max: 2 } }", "spec: { workers: { min: 3, max: 2 } }", "min must be at most max: lower min, or raise max"),
    ("at least one worker", "spec: { workers: { min: 6 } }", "spec: { workers: { min: 0 } }", "greater than or equal to 1"),
    ("how a worker is had", "spec: { workers: { mode: Shared } }", "spec: { workers: { mode: Common } }", NOT_OFFERED),
    ("a shared worker has no wishes of one", "", "spec: { workers: { mode: Shared, max: 2 } }", "a shared worker takes no min, max"),
    ("a shared worker has no place of one", "", "spec: { workers: { mode: Shared, nodeSelector: { a: b } } }", "a shared worker takes no min, max"),
];

#[rustfmt::skip]
const SUBSCRIPTION_RULES: &[Rule] = &[
    ("a source is named", "", "spec: { sourceRef: null }", MISSING),
    ("a source's name", "", "spec: { sourceRef: { name: Register } }", NAME),
    ("a source's namespace", "spec: { sourceRef: { namespace: team-a } }", "spec: { sourceRef: { namespace: '*' } }", GRANTEE),
    ("a consumer is named", "", "spec: { consumerRef: null }", MISSING),
    ("a purpose is quoted", "", "spec: { purpose: null }", MISSING),
    ("a purpose's id", "", "spec: { purpose: Case work }", "must be lower-case letters, digits and '-'"),
    ("a selector is given", "", "spec: { select: null }", MISSING),
    ("an empty selector is nobody", "spec: { select: { municipalities: ['0851', '0101'] } }", "spec: { select: { municipalities: null } }", "must have at least one selector"),
    ("an empty list is nobody", "", "spec: { select: { municipalities: [] } }", "should have at least 1 items"),
    ("everyone is written out", "spec: { select: { municipalities: null, everyone: true } }", "spec: { select: { municipalities: null, everyone: false } }", "must have at least one selector"),
    ("everyone stands alone", "spec: { select: { everyone: false } }", "spec: { select: { everyone: true } }", "everyone must stand alone"),
    ("a list is a selector", "spec: { select: { municipalities: null, persons: Managed } }", "spec: { select: { persons: Everyone } }", NOT_OFFERED),
    ("a list stands beside municipalities", "spec: { select: { personsSecretRef: { name: a, key: b } } }", "spec: { select: { municipalities: null, everyone: true, persons: Managed } }", "everyone must stand alone"),
    ("there is one list", "", "spec: { select: { persons: Managed, personsSecretRef: { name: a, key: b } } }", "has one list"),
    ("who moves out of a municipality is followed", "spec: { followOnMove: 720h }", "spec: { followOnMove: 720h, select: { municipalities: null, persons: Managed } }", "followOnMove needs select.municipalities"),
    ("following after a move ends", "spec: { followOnMove: 17520h }", "spec: { followOnMove: 17521h }", "must be a duration from 0s to 17520h"),
    ("a start is known", "spec: { start: { announce: Snapshot } }", "spec: { start: { announce: All } }", NOT_OFFERED),
    ("municipalities are real", "spec: { select: { municipalities: ['0411', '0960'] } }", "spec: { select: { municipalities: ['0850'] } }", MUNICIPALITY),
    ("municipalities have four digits", "", "spec: { select: { municipalities: ['851'] } }", MUNICIPALITY),
    ("municipalities have no wildcard", "", "spec: { select: { municipalities: ['*'] } }", MUNICIPALITY),
    ("municipalities are texts", "", "spec: { select: { municipalities: [851] } }", "must be of type string"),
    ("municipalities are named once", "", "spec: { select: { municipalities: ['0851', '0851'] } }", "Duplicate value"),
    ("types are known", "spec: { events: { types: [address.changed, died, church.changed] } }", "spec: { events: { types: [address.lost] } }", NOT_OFFERED),
    ("what always comes is not asked for", "", "spec: { events: { types: [scope.left] } }", NOT_OFFERED),
    ("what the register cannot tell is not asked for", "", "spec: { events: { types: [birth.registered] } }", NOT_OFFERED),
    ("no types is not all types", "spec: { events: {} }", "spec: { events: { types: [] } }", "should have at least 1 items"),
    ("types are named once", "", "spec: { events: { types: [died, died] } }", "Duplicate value"),
    ("levels are known", "spec: { payload: { level: ChangedGroups } }", "spec: { payload: { level: Everything } }", NOT_OFFERED),
    ("fields for their level", "spec: { payload: { level: Fields, fields: [Name] } }", "spec: { payload: { level: Fields } }", "level Fields needs fields"),
    ("fields at another level", "", "spec: { payload: { level: ChangedGroups, fields: [Name] } }", "fields need level Fields"),
    ("fields at the default level", "", "spec: { payload: { fields: [Name] } }", "fields need level Fields"),
    ("fields are not empty", "", "spec: { payload: { level: Fields, fields: [] } }", "should have at least 1 items"),
    ("fields are known", "", "spec: { payload: { level: Fields, fields: [Income] } }", NOT_OFFERED),
    ("a review is planned", "", "spec: { reviewBy: null }", MISSING),
    ("a review has a date", "spec: { reviewBy: '2028-02-29' }", "spec: { reviewBy: '2027-02-29' }", "must be a date such as 2027-06-01"),
    ("a review may have a time", "spec: { reviewBy: '2027-06-01T12:00:00Z' }", "spec: { reviewBy: '2027-06-01T12:00:00' }", "must be a date such as 2027-06-01"),
    ("a review is not someday", "", "spec: { reviewBy: someday }", "must be a date such as 2027-06-01"),
    ("an end has a time", "spec: { expiresAt: '2028-01-01T00:00:00.5Z' }", "spec: { expiresAt: '2028-01-01' }", TIME),
    ("following ends", "spec: { followInactive: 17520h }", "spec: { followInactive: 17521h }", "must be a duration from 0s to 17520h"),
    ("following may be left out", "spec: { followInactive: 0s }", "spec: { followInactive: never }", "must be a duration from 0s to 17520h"),
    ("a source has a name", "", "spec: { sourceRef: { name: null } }", MISSING),
    ("a consumer has a name", "", "spec: { consumerRef: { name: null } }", MISSING),
    ("a consumer's name", "", "spec: { consumerRef: { name: Receiver } }", NAME),
    ("fields are named once", "", "spec: { payload: { level: Fields, fields: [Name, Name] } }", "Duplicate value"),
];

#[tokio::test]
async fn each_rule_of_a_source_lets_one_manifest_through_and_refuses_another() {
    check("source-rules", SOURCE, SOURCE_RULES, reading::source).await;
}

#[tokio::test]
async fn each_rule_of_a_consumer_lets_one_manifest_through_and_refuses_another() {
    check("consumer-rules", CONSUMER, CONSUMER_RULES, reading::consumer).await;
}

#[tokio::test]
async fn each_rule_of_a_subscription_lets_one_manifest_through_and_refuses_another() {
    check("subscription-rules", SUBSCRIPTION, SUBSCRIPTION_RULES, reading::subscription).await;
}
