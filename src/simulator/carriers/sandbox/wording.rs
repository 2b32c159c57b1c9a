//! Where the sandbox's scans happen, and what they say.

/// Who takes it in with this scan; `None` for scans that hand nothing over.
pub(super) fn taken_in_by(code: &str) -> Option<&'static str> {
    Some(match code {
        "DELIVERED" | "COLLECTED" => "recipient",
        "SIGNED" => "A. SAMPLE",
        "MAILBOX" => "mailbox",
        "SAFE_PLACE" => "safe place",
        "NEIGHBOUR" => "neighbour",
        _ => return None,
    })
}

/// Where it happens: site, city, post code, country.
pub(super) fn place(code: &str) -> (Option<&'static str>, &'static str, Option<&'static str>, &'static str) {
    match code {
        "LABEL" | "ORDER_READY" | "PICKUP_BOOKED" | "PICKED_UP" | "CANCELLED" | "RETURNED" => {
            (None, "Lyon", None, "FR")
        }
        "DROPPED_OFF" => (Some("Tabac des Brotteaux"), "Lyon", Some("69006"), "FR"),
        "HUB_IN" | "HUB_OUT" | "WRONG_HUB" | "HANDED_OVER" | "DELAY" | "STORM" | "ON_HOLD" | "RELEASED" | "LOST"
        | "RETURNING" | "TELEPORTED" => (Some("Hub Dijon"), "Dijon", Some("21000"), "FR"),
        "CUSTOMS_IN" | "HELD_CUSTOMS" | "DUTIES_DUE" | "DUTIES_PAID" | "CUSTOMS_OUT" => {
            (Some("Douane Bardonnex"), "Genève", None, "CH")
        }
        "AT_SHOP" | "REMINDER" | "COLLECTED" | "UNCLAIMED" => {
            (Some("Librairie du Port"), "Nantes", Some("44000"), "FR")
        }
        "AT_LOCKER" => (Some("Consigne de la Gare"), "Nantes", Some("44000"), "FR"),
        "AT_POST_OFFICE" => (Some("Nantes Bretagne"), "Nantes", Some("44000"), "FR"),
        _ => (None, "Nantes", Some("44000"), "FR"),
    }
}

/// What the code says, for people.
pub(super) fn words(code: &str) -> &'static str {
    match code {
        "LABEL" => "Label created",
        "PICKED_UP" => "Collected from the sender",
        "DROPPED_OFF" => "Handed in at a counter",
        "HUB_IN" => "Arrived at a hub",
        "HUB_OUT" => "Left a hub",
        "DEPOT" => "At the depot that delivers it",
        "HANDED_OVER" => "Given to a partner carrier",
        "CUSTOMS_IN" => "Customs formalities began",
        "HELD_CUSTOMS" => "Held by customs",
        "DUTIES_DUE" => "The recipient has to pay duties",
        "DUTIES_PAID" => "Duties were paid",
        "CUSTOMS_OUT" => "Cleared by customs",
        "DELAY" => "It will come later than planned",
        "STORM" => "Delayed by the weather",
        "WRONG_HUB" => "Sorted to the wrong hub",
        "ON_VAN" => "Out for delivery today",
        "NO_ANSWER" => "Nobody opened the door",
        "AT_SHOP" => "Ready at the pickup point",
        "AT_LOCKER" => "Ready in a locker",
        "AT_POST_OFFICE" => "Ready at the post office",
        "REMINDER" => "It still waits to be collected",
        "COLLECTED" => "Collected by the recipient",
        "DELIVERED" => "Delivered",
        "SIGNED" => "Delivered against signature",
        "MAILBOX" => "Put into the mailbox",
        "SAFE_PLACE" => "Left in the agreed safe place",
        "NEIGHBOUR" => "Left with a neighbour",
        "DELIVERY_REVOKED" => "The delivery scan was wrong, it is still on the way",
        "ON_HOLD" => "Stopped, under examination",
        "RELEASED" => "Goes on after a hold",
        "BAD_ADDRESS" => "The address is wrong",
        "ADDRESS_FIXED" => "The address was corrected",
        "REFUSED" => "Refused by the recipient",
        "DAMAGED" => "Damaged",
        "UNCLAIMED" => "Nobody collected it in time",
        "LOST" => "Lost",
        "RETURNING" => "On its way back to the sender",
        "RETURNED" => "Back at the sender",
        "CANCELLED" => "Cancelled by the sender",
        "SMS" => "A message was sent to the recipient",
        _ => "Teleported",
    }
}
