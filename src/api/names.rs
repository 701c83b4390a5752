//! Names of ours that stand in the cluster: the API group, labels, annotations, the field manager.

/// The API group of every kind.
pub const GROUP: &str = "cpr-operator.dev";

/// The version of every kind.
pub const VERSION: &str = "v1alpha1";

/// The category that lists every kind: `kubectl get cpr`.
pub const CATEGORY: &str = "cpr";

/// Who the operator is to server-side apply and in Kubernetes Events.
pub const FIELD_MANAGER: &str = "cpr-operator";

/// Label of a Secret that says what it may be used for. A Secret without it is not read.
pub const USE_LABEL: &str = "cpr-operator.dev/use";

/// Value of [`USE_LABEL`]: credentials of a source.
pub const USE_SOURCE: &str = "source";

/// Value of [`USE_LABEL`]: secrets that sign a consumer's deliveries.
pub const USE_SIGNING: &str = "signing";

/// Value of [`USE_LABEL`]: the client for whom a consumer's token endpoint gives tokens.
pub const USE_OAUTH: &str = "oauth";

/// Value of [`USE_LABEL`]: the certificate that is shown to a consumer's receiver.
pub const USE_CLIENT_CERTIFICATE: &str = "client-certificate";

/// Value of [`USE_LABEL`]: the list of persons of a subscription.
pub const USE_PERSONS: &str = "persons";

/// Annotation that asks for a reconcile. Any new value does; the one last seen is in `status.lastHandledReconcileAt`.
pub const RECONCILE_AT: &str = "cpr-operator.dev/reconcile-at";

/// Annotation of the Lease that names the store whose process may reconcile from now on.
pub const ADOPT_STORE: &str = "cpr-operator.dev/adopt-store";
