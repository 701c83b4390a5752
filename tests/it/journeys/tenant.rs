//! A tenant who may write manifests in their own namespace tries to reach more than they were granted.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::time::Duration;

use cpr_operator::simulate::consumer::{self, Behaviour, Consumer, Received};
use cpr_operator::simulate::datafordeler::Protection;
use jiff::civil::{Date, date};
use serde_json::{Value, json};
use sqlx::Connection;

use crate::support::tenant::Tenant;
use crate::support::world::{SECRET, World, secret};

/// The world's namespace owns the source; the tenant has a receiver at a name that may be granted.
struct Scene {
    world: World,
    tenant: Tenant,
    theirs: Consumer,
    port: String,
}

async fn receiver() -> Consumer {
    let listen = "127.0.0.1:0".parse().unwrap();
    Consumer::start(consumer::Options { listen, secrets: vec![SECRET.to_owned()] }).await.unwrap()
}

fn port_of(receiver: &Consumer) -> String {
    receiver.url().trim_start_matches("http://127.0.0.1:").split('/').next().unwrap().to_owned()
}

fn long_ago() -> Date {
    date(2013, 1, 1)
}

fn today() -> Date {
    jiff::Zoned::now().date()
}

/// `base` with members replaced, each by a pointer.
fn with(mut base: Value, replaced: &[(&str, Value)]) -> Value {
    for (pointer, value) in replaced {
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        base.pointer_mut(parent).unwrap()[member] = value.clone();
    }
    base
}

impl Scene {
    async fn new(prefix: &str) -> Self {
        let mut world = World::new(prefix).await.on_sqlite();
        // Joined with a dash, a name of the one namespace is a name of the other.
        let tenant = Tenant::new(&world.client, world.namespace.name()).await;
        let namespaces = json!([world.namespace.name(), tenant.namespace.name()]);
        world.settings.push(format!("operator.namespaces={namespaces}"));
        let theirs = receiver().await;
        let port = port_of(&theirs);
        tenant.given(secret("signing", "signing", json!({ "first": SECRET }))).await;
        Self { world, tenant, theirs, port }
    }

    /// The smallest grant, with members replaced.
    fn grant(&self, replaced: &[(&str, Value)]) -> Value {
        let grant = json!({
            "namespace": self.tenant.namespace.name(), "sector": "Public",
            "fields": ["Number", "Status", "Name", "Municipality", "Protection"],
            "municipalities": ["0851"], "protectedPersons": "Mask", "hosts": ["localhost"],
        });
        with(grant, replaced)
    }

    /// A source of the authority with these grants.
    fn source(&self, name: &str, grants: &[Value]) -> Value {
        with(self.world.source(), &[("/metadata/name", json!(name)), ("/spec/grants", json!(grants))])
    }

    /// The tenant's consumer, with members of its spec replaced.
    fn system(&self, name: &str, replaced: &[(&str, Value)]) -> Value {
        let url = format!("http://localhost:{}/cpr/events", self.port);
        let here = with(self.world.consumer_system(name), &[("/spec/delivery/url", json!(url))]);
        with(here, replaced)
    }

    /// The tenant's subscription to the authority's source.
    fn subscription(&self, name: &str, consumer: &str, replaced: &[(&str, Value)]) -> Value {
        let source = json!({ "name": "register", "namespace": self.world.namespace.name() });
        let fields = json!({ "level": "Fields", "fields": ["Name", "Municipality"] });
        let base = self.world.subscription(name, consumer);
        let theirs = with(base, &[("/spec/sourceRef", source), ("/spec/payload", fields)]);
        with(theirs, replaced)
    }

    /// Everything in its place, and granted.
    async fn begin(&mut self, grants: &[Value], select: &[&str]) {
        self.world.apply_secrets().await;
        self.world.apply(self.source("register", grants)).await;
        self.tenant.put(self.system("casework", &[])).await.unwrap();
        let select = [("/spec/select/municipalities", json!(select))];
        self.tenant.put(self.subscription("citizens", "casework", &select)).await.unwrap();
        self.world.start();
        self.tenant.until("ConsumerSystem", "casework", "Ready", "True Succeeded").await;
        self.tenant.until("CprSubscription", "citizens", "Ready", "True Succeeded").await;
    }

    fn rename(&self, citizens: &[&String], name: &str) {
        for citizen in citizens {
            self.world.register.rename(citizen, Some(name), None, today()).unwrap();
        }
        self.world.register.load();
    }

    /// What the tenant was told, but for challenges.
    fn told(&self) -> Vec<Received> {
        events(&self.theirs)
    }

    async fn until_told(&self, what: &str, fits: impl Fn(&Received) -> bool) -> Received {
        let found =
            self.world.until(what, async || self.told().into_iter().find(|one| one.accepted && fits(one))).await;
        let kinds: Vec<_> = self.told().into_iter().map(|one| one.kind).collect();
        found.unwrap_or_else(|| panic!("{what} never came; {kinds:?}\n{}", self.world.log()))
    }

    async fn until_named(&self, name: &str) -> Received {
        self.until_told(name, |one| one.kind.starts_with("name.") && is_named(one, name)).await
    }

    /// The public parts of the audit record.
    async fn record(&self) -> Vec<Value> {
        let path = self.world.data().join("main.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
        let mut conn = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        let sql = "SELECT CAST(public AS TEXT) FROM audit_entry ORDER BY position";
        let entries: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap();
        entries.iter().map(|entry| serde_json::from_str(entry).unwrap()).collect()
    }
}

fn events(receiver: &Consumer) -> Vec<Received> {
    receiver.received().into_iter().filter(|one| one.kind != "endpoint.verify").collect()
}

fn is_named(one: &Received, name: &str) -> bool {
    one.body["data"]["fields"]["Name"]["first"] == name
}

/// An attempt: its name, what it changes of consumer and subscription, and the reason for which it is refused.
type Attempt = (&'static str, Vec<(&'static str, Value)>, Vec<(&'static str, Value)>, &'static str);

fn attempts(authority: &str, elsewhere: &str) -> Vec<Attempt> {
    let source =
        |name: &str, namespace: &str| vec![("/spec/sourceRef", json!({ "name": name, "namespace": namespace }))];
    let fields = |fields: Value| vec![("/spec/payload", json!({ "level": "Fields", "fields": fields }))];
    let url = |host: &str| vec![("/spec/delivery/url", json!(format!("http://{host}/cpr/events")))];
    vec![
        ("closed", vec![], source("closed", authority), "NotGranted"),
        ("absent", vec![], source("absent", authority), "NotGranted"),
        ("nowhere", vec![], source("register", "nowhere"), "NotGranted"),
        ("sector", vec![], source("private", authority), "SectorNotGranted"),
        ("everyone", vec![], vec![("/spec/select", json!({ "everyone": true }))], "EveryoneNotGranted"),
        (
            "places",
            vec![],
            vec![("/spec/select", json!({ "municipalities": ["0851", "0101"] }))],
            "MunicipalityNotGranted",
        ),
        ("fields", vec![], fields(json!(["Name", "Address"])), "FieldsNotGranted"),
        ("types", vec![], vec![("/spec/events", json!({ "types": ["address.changed"] }))], "TypesNotGranted"),
        ("protected", vec![("/spec/protectedPersons", json!("Allow"))], vec![], "ProtectionNotGranted"),
        ("number", url(elsewhere), vec![], "HostNotGranted"),
        ("octal", url(&elsewhere.replace("127.0.0.1", "0177.0.0.1")), vec![], "HostNotGranted"),
        ("longer", url("localhost.example.org"), vec![], "HostNotGranted"),
        ("below", url("a.localhost"), vec![], "HostNotGranted"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_reaches_no_more_than_the_grant_however_they_try() {
    let mut scene = Scene::new("tenant").await;
    let (authority, own) = (scene.world.namespace.name().to_owned(), scene.tenant.namespace.name().to_owned());
    let elsewhere = receiver().await;
    let elsewhere_at = format!("127.0.0.1:{}", port_of(&elsewhere));
    let citizen = scene.world.register.settle("0851", long_ago()).unwrap();
    let stranger = scene.world.register.settle("0101", long_ago()).unwrap();
    let hidden = scene.world.register.settle("0851", long_ago()).unwrap();
    scene.world.register.protect(&hidden, Protection::NameAndAddress, today(), None).unwrap();
    scene.world.register.load();

    // The authority has a consumer of its own whose name, joined with its namespace, is that of the tenant's.
    let suffix = own.strip_prefix(&format!("{authority}-")).unwrap();
    scene.world.apply(scene.world.consumer_system(&format!("{suffix}-casework"))).await;
    scene.world.apply(scene.world.subscription("citizens", &format!("{suffix}-casework"))).await;
    scene.world.apply(secret("theirs", "signing", json!({ "first": SECRET }))).await;
    scene.world.apply(scene.source("closed", &[])).await;
    scene.world.apply(scene.source("private", &[scene.grant(&[("/sector", json!("Private"))])])).await;
    scene.begin(&[scene.grant(&[])], &["0851"]).await;

    // The API server itself keeps the tenant from these.
    for forbidden in [
        scene.tenant.read(&own, "Secret", "signing").await.map(drop),
        scene.tenant.read(&authority, "Secret", "signing").await.map(drop),
        scene.tenant.read(&authority, "CprSource", "register").await.map(drop),
        scene.tenant.put_in(&authority, scene.subscription("mine", "casework", &[])).await,
        scene.tenant.put_in(&authority, scene.source("register", &[])).await,
    ] {
        assert!(forbidden.unwrap_err().contains("forbidden"));
    }
    let secret_of = |name: &str| vec![("/spec/delivery/signingSecretRef", json!({ "name": name }))];
    for (replaced, message) in [
        (vec![("/spec/delivery/url", json!(format!("http://localhost@{elsewhere_at}/")))], "must not have user info"),
        (vec![("/spec/delivery/url", json!("http://løcalhost/"))], "in ASCII"),
        (secret_of(&format!("{authority}/theirs")), "must be the name of an object"),
        (vec![("/spec/delivery/signingSecretRef", json!({ "name": "theirs", "namespace": authority }))], "namespace"),
    ] {
        let said = scene.tenant.put(scene.system("odd", &replaced)).await.unwrap_err();
        assert!(said.contains(message), "{said}");
    }

    // And the product from these.
    let attempts = attempts(&authority, &elsewhere_at);
    for (name, consumer, subscription, _) in &attempts {
        scene.tenant.put(scene.system(name, consumer)).await.unwrap();
        scene.tenant.put(scene.subscription(name, name, subscription)).await.unwrap();
    }
    scene.tenant.given(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "plain"}, "stringData": {"first": SECRET}})).await;
    for (name, of, reason) in [("borrowed", "theirs", "SecretNotFound"), ("unlabelled", "plain", "SecretNotLabelled")] {
        scene.tenant.put(scene.system(name, &secret_of(of))).await.unwrap();
        scene.tenant.put(scene.subscription(name, name, &[])).await.unwrap();
        scene.tenant.until("ConsumerSystem", name, "SecretsResolved", &format!("False {reason}")).await;
    }
    for (name, _, _, reason) in &attempts {
        scene.tenant.until("CprSubscription", name, "ReferencesResolved", &format!("False {reason}")).await;
        scene.tenant.until("CprSubscription", name, "Ready", &format!("False {reason}")).await;
    }
    assert_eq!(told_of(&scene, "closed").await, told_of(&scene, "absent").await, "which sources there are is not said");

    scene.world.register.rename(&stranger, Some("Fremmed"), None, today()).unwrap();
    scene.world.register.rename(&hidden, Some("Skjult"), None, today()).unwrap();
    scene.rename(&[&citizen], "Synlig");
    scene.until_named("Synlig").await;
    scene.until_told("the protected person", |one| one.body["data"]["protection"]["nameAndAddress"] == true).await;
    scene.world.until_received("the authority's own", |one| is_named(one, "Synlig")).await;

    changes_after_acceptance(&mut scene, &citizen, &hidden, &elsewhere).await;

    let granted = BTreeSet::from(["Name", "Municipality", "Protection"]);
    for one in scene.told() {
        let text = one.body.to_string();
        assert!(!text.contains("Fremmed") && !text.contains("Skjult"), "{}", one.kind);
        assert_eq!(one.body["source"], format!("/{authority}/register"));
        assert_eq!(one.body["data"]["grounds"].as_array().unwrap().len(), 1);
        assert_eq!(one.body["data"]["grounds"][0]["subscription"], "citizens", "{}", one.kind);
        let fields = one.body["data"]["fields"].as_object().into_iter().flatten();
        assert!(fields.map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>().is_subset(&granted), "{text}");
    }
    let references = |all: Vec<Received>| all.into_iter().filter_map(|one| one.reference).collect::<BTreeSet<_>>();
    let (ours, theirs) = (references(events(&scene.world.consumer)), references(scene.told()));
    assert!(!ours.is_empty() && ours.is_disjoint(&theirs), "two consumers know a person under two references");
    assert!(events(&elsewhere).is_empty(), "{:?}", events(&elsewhere).iter().map(|one| &one.kind).collect::<Vec<_>>());

    scene.world.stop().await;
    let record = scene.record().await;
    for (name, _, _, reason) in &attempts {
        let is_it = |entry: &&Value| {
            entry["type"] == "refusal"
                && entry["class"] == *reason
                && entry["resource"]["namespace"] == own
                && entry["resource"]["name"] == *name
        };
        assert!(record.iter().any(|entry| is_it(&entry)), "{name} {reason}");
    }
}

/// The status of a subscription without what its name and the time make of it.
async fn told_of(scene: &Scene, name: &str) -> String {
    let mut status = scene.tenant.status("CprSubscription", name).await;
    for condition in status["conditions"].as_array_mut().unwrap() {
        condition["lastTransitionTime"].take();
    }
    status.to_string().replace(name, "…")
}

/// What was accepted once is changed to something that was not granted.
async fn changes_after_acceptance(scene: &mut Scene, citizen: &String, hidden: &String, elsewhere: &Consumer) {
    let Scene { tenant, .. } = &scene;
    let resolved = async |expected: &str| {
        tenant.until("CprSubscription", "citizens", "ReferencesResolved", expected).await;
    };
    tenant.put(scene.system("casework", &[("/spec/protectedPersons", json!("Allow"))])).await.unwrap();
    resolved("False ProtectionNotGranted").await;
    let before = scene.told().len();
    scene.rename(&[hidden], "Skjultere");
    scene.until_told("a masked change", |one| one.body["data"]["withheld"].to_string().contains("Name")).await;
    let masked = async || (scene.told().len() > before).then_some(());
    assert!(scene.world.until("another masked change", masked).await.is_some());

    // To an address of the tenant's own that has proved itself, by a change and by making the consumer anew.
    let away = [("/spec/delivery/url", json!(elsewhere.url()))];
    for (anew, name) in [(false, "Ændret"), (true, "Fornyet")] {
        if anew {
            tenant.delete("ConsumerSystem", "casework").await;
            resolved("False ConsumerNotFound").await;
        }
        tenant.put(scene.system("casework", &away)).await.unwrap();
        tenant.until("ConsumerSystem", "casework", "EndpointVerified", "True Verified").await;
        resolved("False HostNotGranted").await;
        scene.rename(&[citizen], name);
        scene.world.until_received("the authority's own", |one| is_named(one, name)).await;
        tenant.put(scene.system("casework", &[])).await.unwrap();
        resolved("True Resolved").await;
        if !anew {
            let entered = |one: &Received| one.body["data"]["reason"] == "SubscriptionChanged" && is_named(one, name);
            scene.until_told("everybody anew", entered).await;
        }
        let again = format!("{name} igen");
        scene.rename(&[citizen], &again);
        scene.until_named(&again).await;
    }

    scene.theirs.behave(Behaviour::Redirect { url: elsewhere.url() });
    let asked = scene.theirs.report().requests;
    scene.rename(&[citizen], "Omdirigeret");
    let tried = async || (scene.theirs.report().requests > asked).then_some(());
    assert!(scene.world.until("an attempt", tried).await.is_some());
    scene.theirs.behave(Behaviour::Accept);
    scene.until_named("Omdirigeret").await;

    // An event that waits when its address is changed is withdrawn, not sent there.
    scene.theirs.behave(Behaviour::Status { status: 500 });
    let refused = scene.theirs.report().refused;
    scene.rename(&[citizen], "Ventende");
    let tried = async || (scene.theirs.report().refused > refused).then_some(());
    assert!(scene.world.until("an attempt", tried).await.is_some());
    tenant.put(scene.system("casework", &away)).await.unwrap();
    tenant.until("ConsumerSystem", "casework", "EndpointVerified", "True Verified").await;
    resolved("False HostNotGranted").await;
    let withdrawn = async || {
        let record = scene.record().await;
        let is_it = |e: &Value| e["type"] == "event.withdrawn" && e["class"] == "HostNotGranted";
        record.iter().any(is_it).then_some(())
    };
    assert!(scene.world.until("the withdrawal", withdrawn).await.is_some(), "{}", scene.world.log());
    scene.theirs.behave(Behaviour::Accept);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_removed_ends_deliveries_under_load_and_one_that_is_restored_enters_everybody_anew() {
    const MANY: usize = 60;
    let mut scene = Scene::new("removal").await;
    let citizens: Vec<String> = (0..MANY).map(|_| scene.world.register.settle("0851", long_ago()).unwrap()).collect();
    let all: Vec<&String> = citizens.iter().collect();
    scene.world.register.load();
    scene.begin(&[scene.grant(&[])], &["0851"]).await;
    let few = [("/spec/delivery/maxInFlight", json!(2))];
    scene.tenant.put(scene.system("casework", &few)).await.unwrap();
    let named = |scene: &Scene, name: &str| {
        let told = scene.told().into_iter().filter(|one| one.kind.starts_with("name.") && is_named(one, name));
        told.filter_map(|one| one.reference).collect::<BTreeSet<_>>().len()
    };
    scene.rename(&all, "Foer");
    let known = scene.world.until("everybody", async || (named(&scene, "Foer") == MANY).then_some(())).await;
    assert!(known.is_some(), "{}\n{}", named(&scene, "Foer"), scene.world.log());

    // Slow enough that most of them still wait when the grant goes.
    scene.theirs.behave(Behaviour::Slow { millis: 400 });
    scene.rename(&all, "Under");
    scene.world.until("the first", async || (named(&scene, "Under") > 2).then_some(())).await.unwrap();
    scene.world.apply(scene.source("register", &[])).await;
    // The time that is promised; what comes after it is counted.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let told = scene.told().into_iter().filter(|one| one.kind.starts_with("name.") && is_named(one, "Under")).count();
    assert!(told < MANY, "most still waited");
    scene.tenant.until("CprSubscription", "citizens", "Ready", "False NotGranted").await;
    scene.theirs.behave(Behaviour::Accept);

    scene.world.apply(scene.source("register", &[scene.grant(&[])])).await;
    scene.tenant.until("CprSubscription", "citizens", "Ready", "True Succeeded").await;
    let anew = async || {
        let told = scene
            .told()
            .into_iter()
            .filter(|one| one.kind == "scope.entered" && one.body["data"]["reason"] == "SubscriptionChanged");
        (told.filter_map(|one| one.reference).collect::<BTreeSet<_>>().len() == MANY).then_some(())
    };
    assert!(scene.world.until("everybody anew", anew).await.is_some(), "{}", scene.world.log());
    // Each person's events come in order, so whatever came before has been settled.
    assert_eq!(
        scene.told().into_iter().filter(|one| one.kind.starts_with("name.") && is_named(one, "Under")).count(),
        told
    );
    assert_eq!(scene.theirs.report().out_of_order, 0);
    scene.world.stop().await;
    let record = scene.record().await;
    let withdrawn = record.iter().filter(|e| e["type"] == "event.withdrawn" && e["class"] == "NotGranted").count();
    assert_eq!(withdrawn, MANY - told);
    let grants = record.iter().filter(|e| e["resource"]["kind"] == "CprSource" && e["type"] == "configuration");
    assert_eq!(grants.map(|e| e["grants"].as_array().map_or(0, Vec::len)).collect::<Vec<_>>(), [1, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_narrowed_lets_go_whom_it_no_longer_reaches_and_keeps_the_others() {
    let mut scene = Scene::new("narrowing").await;
    let stays = scene.world.register.settle("0851", long_ago()).unwrap();
    let goes = scene.world.register.settle("0101", long_ago()).unwrap();
    scene.world.register.load();
    let wide = scene.grant(&[("/municipalities", json!(["0851", "0101"]))]);
    scene.begin(std::slice::from_ref(&wide), &["0851", "0101"]).await;
    scene.rename(&[&stays], "Bliver");
    scene.rename(&[&goes], "Farer");
    let staying = scene.until_named("Bliver").await.reference;
    let going = scene.until_named("Farer").await.reference;

    scene.theirs.behave(Behaviour::Status { status: 500 });
    scene.rename(&[&stays, &goes], "Ventende");
    let both_wait = async || {
        let waiting = scene.told().into_iter().filter(|one| is_named(one, "Ventende")).filter_map(|one| one.reference);
        (waiting.collect::<BTreeSet<_>>().len() == 2).then_some(())
    };
    assert!(scene.world.until("both to be refused", both_wait).await.is_some(), "{}", scene.world.log());
    scene.world.apply(scene.source("register", &[scene.grant(&[])])).await;
    scene.tenant.until("CprSubscription", "citizens", "ReferencesResolved", "False MunicipalityNotGranted").await;
    scene.theirs.behave(Behaviour::Accept);
    scene.until_told("who stays", |one| is_named(one, "Ventende")).await;
    let left = scene.until_told("who goes", |one| one.kind == "scope.left").await;
    assert_eq!((&left.reference, &left.body["data"]["reason"]), (&going, &json!("SubscriptionChanged")));
    assert!(left.body["data"].get("fields").is_none(), "{}", left.body["data"]);
    scene.rename(&[&stays, &goes], "Senere");
    assert_eq!(scene.until_named("Senere").await.reference, staying);

    scene.world.apply(scene.source("register", &[wide])).await;
    scene.tenant.until("CprSubscription", "citizens", "ReferencesResolved", "True Resolved").await;
    let back = scene
        .until_told("who comes back", |one| {
            one.kind == "scope.entered" && one.body["data"]["reason"] == "SubscriptionChanged"
        })
        .await;
    assert_eq!(back.reference, going);
    let accepted = scene.told().into_iter().filter(|one| one.accepted && one.reference == going);
    let kinds: Vec<_> = accepted.map(|one| one.kind).collect();
    assert_eq!(kinds.last().map(String::as_str), Some("scope.entered"));
    assert_eq!(kinds.iter().filter(|kind| kind.starts_with("name.")).count(), 1, "{kinds:?}");
    scene.world.stop().await;
    let record = scene.record().await;
    let classes = record.iter().filter(|e| e["type"] == "event.withdrawn").map(|e| e["class"].clone());
    assert_eq!(classes.collect::<Vec<_>>(), ["MunicipalityNotGranted"]);
}
