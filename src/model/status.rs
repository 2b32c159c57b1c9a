//! The common vocabulary: what a carrier's code can mean.
//!
//! A substatus has a unique name and belongs to one status, so a carrier's table maps code to substatus
//! and the status follows. The facts of each stand in one table below.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which way the parcel travels, seen from the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Shop to customer.
    #[default]
    Outbound,
    /// Customer back to shop.
    Return,
    /// A replacement on its way to the customer.
    Exchange,
}

/// Who has to do something before the parcel goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhoMustAct {
    /// Nobody.
    Nobody,
    /// The person it is addressed to.
    Recipient,
    /// The shop that sent it.
    Shop,
    /// Only the carrier can act; the shop may chase it.
    Carrier,
}

impl WhoMustAct {
    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Recipient => "recipient",
            Self::Shop => "shop",
            Self::Carrier => "carrier",
        }
    }
}

/// Whether a substatus ends the parcel's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// It goes on.
    GoesOn,
    /// Final for the shop: polled slowly for a while, a newer scan reopens it.
    Soft,
    /// Final: only a correction by the carrier or a return leaves it.
    Terminal,
}

macro_rules! statuses {
    ($($status:ident $status_name:literal { $($sub:ident $name:literal $who:ident $end:ident $ready:literal),+ $(,)? })+) => {
        /// The coarse state of a parcel.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[expect(missing_docs, reason = "the names are the vocabulary itself")]
        pub enum Status { $($status),+ }

        impl Status {
            /// Every status.
            pub const ALL: &'static [Self] = &[$(Self::$status),+];

            /// Its name in the API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$status => $status_name),+ }
            }
        }

        /// The fine state of a parcel.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[expect(missing_docs, reason = "the names are the vocabulary itself")]
        pub enum Substatus { $($($sub),+),+ }

        impl Substatus {
            /// Every substatus.
            pub const ALL: &'static [Self] = &[$($(Self::$sub),+),+];

            /// Its name in the API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$sub => $name),+),+ }
            }

            /// The status it belongs to.
            #[must_use]
            pub const fn status(self) -> Status {
                match self { $($(Self::$sub => Status::$status),+),+ }
            }

            const fn outbound_actor(self) -> WhoMustAct {
                match self { $($(Self::$sub => WhoMustAct::$who),+),+ }
            }

            /// Whether it ends the parcel's life.
            #[must_use]
            pub const fn end(self) -> End {
                match self { $($(Self::$sub => End::$end),+),+ }
            }

            /// Counts as "attempted or ready" when on-time is judged: the carrier kept its promise.
            #[must_use]
            pub const fn attempted_or_ready(self) -> bool {
                match self { $($(Self::$sub => $ready),+),+ }
            }
        }
    };
}

statuses! {
    Pending "pending" {
        Registered "registered" Nobody GoesOn false,
        NotFound "not_found" Nobody GoesOn false,
        NumberRejected "number_rejected" Shop Soft false,
    }
    InfoReceived "info_received" {
        LabelCreated "label_created" Nobody GoesOn false,
        OrderProcessed "order_processed" Nobody GoesOn false,
        AwaitingDropoff "awaiting_dropoff" Shop GoesOn false,
        CollectionScheduled "collection_scheduled" Nobody GoesOn false,
        CollectionFailed "collection_failed" Shop GoesOn false,
    }
    InTransit "in_transit" {
        Accepted "accepted" Nobody GoesOn false,
        CollectedFromSender "collected_from_sender" Nobody GoesOn false,
        Departed "departed" Nobody GoesOn false,
        Arrived "arrived" Nobody GoesOn false,
        InTransit "in_transit" Nobody GoesOn false,
        AtLocalFacility "at_local_facility" Nobody GoesOn false,
        HandedToPartner "handed_to_partner" Nobody GoesOn false,
        CustomsProcessing "customs_processing" Nobody GoesOn false,
        CustomsCleared "customs_cleared" Nobody GoesOn false,
        DeliveryScheduled "delivery_scheduled" Nobody GoesOn false,
        Rescheduled "rescheduled" Nobody GoesOn false,
        Redirected "redirected" Nobody GoesOn false,
        Missorted "missorted" Nobody GoesOn false,
        Delayed "delayed" Nobody GoesOn false,
        DelayedWeather "delayed_weather" Nobody GoesOn false,
        PartiallyDelivered "partially_delivered" Nobody GoesOn false,
    }
    OutForDelivery "out_for_delivery" {
        OutForDelivery "out_for_delivery" Nobody GoesOn false,
    }
    AvailableForPickup "available_for_pickup" {
        AtPickupPoint "at_pickup_point" Recipient GoesOn true,
        AtLocker "at_locker" Recipient GoesOn true,
        AtPostOffice "at_post_office" Recipient GoesOn true,
        AtDepot "at_depot" Recipient GoesOn true,
        PickupReminder "pickup_reminder" Recipient GoesOn true,
    }
    AttemptFailed "attempt_failed" {
        RecipientAbsent "recipient_absent" Recipient GoesOn true,
        AccessDenied "access_denied" Recipient GoesOn true,
        AddressNotFound "address_not_found" Shop GoesOn true,
        BusinessClosed "business_closed" Nobody GoesOn true,
        IdentificationFailed "identification_failed" Recipient GoesOn true,
        PaymentNotCollected "payment_not_collected" Recipient GoesOn true,
        PickupPointFull "pickup_point_full" Nobody GoesOn false,
        AttemptFailed "attempt_failed" Recipient GoesOn true,
    }
    Delivered "delivered" {
        Delivered "delivered" Nobody Terminal true,
        Signed "signed" Nobody Terminal true,
        DeliveredToMailbox "delivered_to_mailbox" Nobody Terminal true,
        LeftInSafePlace "left_in_safe_place" Recipient Terminal true,
        LeftWithNeighbour "left_with_neighbour" Recipient Terminal true,
        LeftAtReception "left_at_reception" Recipient Terminal true,
        CollectedByRecipient "collected_by_recipient" Nobody Terminal true,
    }
    Exception "exception" {
        OnHold "on_hold" Carrier GoesOn false,
        CustomsHold "customs_hold" Carrier GoesOn false,
        CustomsDocumentsRequired "customs_documents_required" Shop GoesOn false,
        DutiesDue "duties_due" Recipient GoesOn false,
        CustomsRejected "customs_rejected" Shop Soft false,
        AppointmentRequired "appointment_required" Recipient GoesOn false,
        IncorrectAddress "incorrect_address" Shop GoesOn false,
        Refused "refused" Shop GoesOn true,
        Damaged "damaged" Shop GoesOn false,
        Unclaimed "unclaimed" Shop GoesOn false,
        Undeliverable "undeliverable" Shop Soft false,
        SecurityHold "security_hold" Shop GoesOn false,
        Lost "lost" Shop Soft false,
        Disposed "disposed" Shop Terminal false,
    }
    ReturnToSender "return_to_sender" {
        Recalled "recalled" Nobody GoesOn false,
        ReturnStarted "return_started" Shop GoesOn false,
        ReturnInTransit "return_in_transit" Nobody GoesOn false,
        ReturnAwaitingCollection "return_awaiting_collection" Shop GoesOn false,
    }
    Returned "returned" {
        ReturnedToSender "returned_to_sender" Shop Terminal false,
    }
    Cancelled "cancelled" {
        Cancelled "cancelled" Nobody Soft false,
    }
    Expired "expired" {
        NoUpdate "no_update" Shop Soft false,
        NeverHandedOver "never_handed_over" Shop Soft false,
    }
}

impl Substatus {
    /// Who must act, given which way the parcel travels.
    #[must_use]
    pub const fn who_must_act(self, direction: Direction) -> WhoMustAct {
        if matches!(direction, Direction::Return) {
            match self {
                Self::LabelCreated | Self::AwaitingDropoff | Self::ReturnedToSender => return WhoMustAct::Recipient,
                _ => {}
            }
            match self.status() {
                Status::AvailableForPickup | Status::Delivered => return WhoMustAct::Shop,
                _ => {}
            }
        }
        self.outbound_actor()
    }
}

macro_rules! by_name {
    ($type:ident, $what:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(given: &str) -> Result<Self, String> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|s| s.name() == given)
                    .ok_or_else(|| format!(concat!("{:?} is no ", $what, " that wismo knows"), given))
            }
        }
    };
}
by_name!(Status, "status");
by_name!(Substatus, "substatus");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_equal_to_their_serde_names() {
        let mut seen = std::collections::HashSet::new();
        for substatus in Substatus::ALL {
            assert!(seen.insert(substatus.name()), "{substatus} stands twice");
            assert_eq!(serde_json::to_value(substatus).unwrap(), substatus.name());
            assert_eq!(substatus.name().parse::<Substatus>().unwrap(), *substatus);
        }
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        assert_eq!(Substatus::ALL.len(), 67);
    }

    #[test]
    fn a_return_turns_the_roles_around() {
        assert_eq!(Substatus::Delivered.who_must_act(Direction::Return), WhoMustAct::Shop);
        assert_eq!(Substatus::LabelCreated.who_must_act(Direction::Return), WhoMustAct::Recipient);
        assert_eq!(Substatus::AtLocker.who_must_act(Direction::Outbound), WhoMustAct::Recipient);
    }
}
