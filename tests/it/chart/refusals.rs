//! Values that cannot work.

use super::helm::template;

/// Values, and what is said of them.
const REFUSED: [(&str, &str); 20] = [
    ("mode=cluster", "at '/mode': value must be one of 'AllInOne', 'Cluster'"),
    ("replicas=2", "additional properties 'replicas' not allowed"),
    ("image.digest=latest", "at '/image/digest'"),
    ("replicaCount=two", "at '/replicaCount': got string, want null or integer"),
    ("watchNamespaces={a,a}", "at '/watchNamespaces'"),
    ("watchNamespaces={A}", "at '/watchNamespaces/0'"),
    ("settings.delivery=fast", "at '/settings/delivery': got string, want object"),
    ("leaderElection.leaseDuration=soon", "at '/leaderElection/leaseDuration'"),
    ("persistence.size=large", "at '/persistence/size'"),
    (
        "admissionPolicy.actions={Refuse}",
        "at '/admissionPolicy/actions/0': value must be one of 'Deny', 'Warn', 'Audit'",
    ),
    ("networkPolicy.apiServer.ports={}", "at '/networkPolicy/apiServer/ports/0'"),
    (
        "mode=Cluster,rootKey.existingSecret=a",
        "mode Cluster needs a PostgreSQL database: name the Secret with its address in database.existingSecret",
    ),
    (
        "mode=Cluster,database.existingSecret=a",
        "mode Cluster needs a root key that all pods share: name its Secret in rootKey.existingSecret",
    ),
    ("replicaCount=2", "mode AllInOne runs in one pod: leave replicaCount out, or set mode to Cluster"),
    ("database.pooler=true", "are of a PostgreSQL database: name its Secret in database.existingSecret"),
    ("database.loginPerConsumer=true", "database.loginPerConsumer is of the workers that mode Cluster makes"),
    ("clusterWide=true,watchNamespaces={a}", "leave watchNamespaces empty, or set clusterWide to false"),
    ("admissionPolicy.actions={Deny,Warn}", "cannot have both Deny and Warn"),
    (
        "settings.http.listen=0.0.0.0:80",
        "settings.http.listen is set by another value of the chart: see docs/values.md",
    ),
    ("settings.operator.namespaces={a}", "settings.operator.namespaces is set by another value"),
];

#[test]
fn what_cannot_work_is_refused_with_what_to_do() {
    for (values, said) in REFUSED {
        let refusal = template(&["--set", values]).expect_err(values);
        assert!(refusal.contains(said), "{values}: {refusal}");
    }
}
