//! The `grants` of a `CprSource`: who beyond its namespace may use it, and the most that they may ask.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::text::{HostName, MunicipalityCode, NamespaceName};
use crate::domain::field_group::FieldGroup;
use crate::domain::resource::{ProtectedPersons, Sector};

/// What the consumers of one other namespace may have of a source at most.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("self.protectedPersons != 'Allow' || self.sector == 'Public'")
        .message("Allow needs sector Public: use Mask or Deny")
        .field_path(".protectedPersons"),
    validation = Rule::new("self.sector != 'Private' || !('PersonId' in self.fields)")
        .message("PersonId may not be given to sector Private: remove it")
        .field_path(".fields"),
    validation = Rule::new("!self.everyone || !has(self.municipalities) || size(self.municipalities) == 0")
        .message("everyone covers every municipality: remove municipalities, or everyone")
        .field_path(".everyone"),
)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The namespace that is granted this. One entry for each; the source's own namespace needs none.
    pub namespace: NamespaceName,

    /// `Public`: for consumers of either sector. `Private`: for private parties only; a consumer that says that it is a public
    /// authority is refused.
    pub sector: Sector,

    /// Field groups: the most that its subscriptions may be given.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 64))]
    pub fields: Vec<FieldGroup>,

    /// Four-digit codes of municipalities, such as `0851`: where those have to live who are covered. Absent or empty: nobody, unless
    /// `everyone` is set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 128))]
    pub municipalities: Vec<MunicipalityCode>,

    /// `true`: those who are covered may live anywhere, and `select.everyone` may be used.
    #[serde(default)]
    pub everyone: bool,

    /// The most that may be given of persons under name and address protection: `Deny`, `Mask` or `Allow` (sector `Public` only).
    pub protected_persons: ProtectedPersons,

    /// Where deliveries may go: names such as `receiver.example.org`, or `*.example.org` for every name with one label more. On any
    /// port; addresses by number match none.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 32))]
    pub hosts: Vec<HostName>,
}
