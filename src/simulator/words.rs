//! How each carrier says what happened: codes and labels from its published protocol.

use super::steps::{Code, Network, Step};

/// The carrier's code and words for a step; `None` where the carrier has none for it.
pub fn say(network: Network, step: Step) -> Option<(Code, &'static str)> {
    match network {
        Network::LaPoste => Some(laposte(step)),
        Network::FedEx => Some(fedex(step)),
        Network::Ups => Some(ups(step)),
        Network::MondialRelay => mondialrelay(step),
    }
}

const fn code(kind: &'static str, main: &'static str, detail: &'static str) -> Code {
    Code { main, detail, kind }
}

fn laposte(step: Step) -> (Code, &'static str) {
    let (main, text) = match step {
        Step::Label => ("DR1", "Votre colis est annoncé par l'expéditeur"),
        Step::Accepted => ("PC1", "Votre colis est pris en charge"),
        Step::Departed => ("ET1", "Votre colis est en cours d'acheminement"),
        Step::Arrived => ("ET1", "Votre colis est arrivé sur un site de tri"),
        Step::CustomsIn => ("DO1", "Votre colis est entré en douane"),
        Step::CustomsHeld => ("DO3", "Votre colis est retenu par la douane"),
        Step::CustomsOut => ("DO2", "Votre colis est sorti de douane"),
        Step::AtDepot => ("EP1", "Votre colis attend d'être présenté"),
        Step::OutForDelivery => ("MD2", "Votre colis est confié au facteur"),
        Step::Attempt => ("ND1", "Votre colis n'a pas pu être livré"),
        Step::AtPickup => ("AG1", "Votre colis vous attend"),
        Step::Collected => ("DI1", "Votre colis a été remis à son destinataire au guichet"),
        Step::Delivered => ("DI1", "Votre colis est livré"),
        Step::ReturnStarted => ("RE1", "Votre colis est renvoyé à l'expéditeur"),
        Step::ReturnMoving => ("RE1", "Votre colis est en chemin vers l'expéditeur"),
        Step::ReturnedToSender => ("DI2", "Votre colis est rendu à l'expéditeur"),
        Step::Delay => ("DI3", "La livraison de votre colis est retardée"),
        Step::Damaged | Step::Lost => ("PB1", "Un problème est en cours de traitement"),
    };
    (code("", main, ""), text)
}

fn fedex(step: Step) -> (Code, &'static str) {
    // kind is the rolled-up code, detail the exception.
    match step {
        Step::Label => (code("IN", "OC", ""), "Shipment information sent to FedEx"),
        Step::Accepted => (code("PU", "PU", ""), "Picked up"),
        Step::Departed => (code("IT", "DP", ""), "Departed FedEx location"),
        Step::Arrived => (code("IT", "AR", ""), "Arrived at FedEx location"),
        Step::CustomsIn => (code("IT", "CP", ""), "Clearance in progress"),
        Step::CustomsHeld => (code("CD", "CD", "A25"), "Clearance delay"),
        Step::CustomsOut => (code("IT", "CC", ""), "International shipment release"),
        Step::AtDepot => (code("IT", "FD", ""), "At local FedEx facility"),
        Step::OutForDelivery => (code("OD", "OD", ""), "On FedEx vehicle for delivery"),
        Step::Attempt => (code("DE", "DE", "08"), "Delivery exception"),
        Step::AtPickup => (code("HL", "HL", ""), "Ready for recipient pickup"),
        Step::Collected => (code("DL", "DL", ""), "Delivered, picked up by the recipient"),
        Step::Delivered => (code("DL", "DL", ""), "Delivered"),
        Step::ReturnStarted => (code("RS", "RS", ""), "Returning package to shipper"),
        Step::ReturnMoving => (code("RS", "RS", ""), "Return in progress"),
        Step::ReturnedToSender => (code("RS", "RT", ""), "Returned to shipper"),
        Step::Delay => (code("DY", "DY", ""), "Delay"),
        Step::Damaged => (code("SE", "SE", ""), "Shipment exception: damage reported"),
        Step::Lost => (code("SE", "SE", ""), "Shipment exception"),
    }
}

fn ups(step: Step) -> (Code, &'static str) {
    match step {
        Step::Label => (code("M", "MP", "003"), "Shipper created a label, UPS has not received the package yet."),
        Step::Accepted => (code("P", "PU", "038"), "Pickup Scan"),
        Step::Departed => (code("I", "DP", "005"), "Departed from Facility"),
        Step::Arrived => (code("I", "AR", "010"), "Arrived at Facility"),
        Step::CustomsIn => (code("I", "IP", "012"), "Clearance in Progress"),
        Step::CustomsHeld => (code("X", "CI", "058"), "Clearance Information Required"),
        Step::CustomsOut => (code("I", "SR", "014"), "Clearance Completed"),
        Step::AtDepot => (code("I", "IP", "016"), "Held in Warehouse"),
        Step::OutForDelivery => (code("I", "OT", "021"), "Out For Delivery Today"),
        Step::Attempt => (code("X", "48", "022"), "Delivery Attempted"),
        Step::AtPickup => (code("I", "2Q", "161"), "Delivered to UPS Access Point"),
        Step::Collected => (code("D", "KB", "011"), "DELIVERED, picked up by customer"),
        Step::Delivered => (code("D", "FS", "011"), "DELIVERED"),
        Step::ReturnStarted => (code("X", "RE", "033"), "Return to Sender Requested"),
        Step::ReturnMoving => (code("RS", "RS", "036"), "Returning to Sender"),
        Step::ReturnedToSender => (code("RS", "RS", "034"), "Returned to Sender"),
        Step::Delay => (code("X", "DL", "046"), "A delay has occurred"),
        Step::Damaged => (code("X", "DJ", "059"), "Damage Reported"),
        Step::Lost => (code("X", "LX", "068"), "Package Sent to Lost and Found"),
    }
}

fn mondialrelay(step: Step) -> Option<(Code, &'static str)> {
    // No codes on events: kind is the STAT the whole answer takes while this is the newest.
    Some(match step {
        Step::Label => (code("80", "", ""), "Colis en préparation chez l'expéditeur"),
        Step::Accepted => (code("81", "", ""), "Prise en charge de votre colis en Point Relais"),
        Step::Departed => (code("81", "", ""), "Départ de l'agence"),
        Step::Arrived => (code("81", "", ""), "Prise en charge de votre colis sur notre site logistique"),
        Step::AtDepot => (code("81", "", ""), "Colis arrivé à l'agence de livraison"),
        Step::OutForDelivery => (code("81", "", ""), "Colis en cours de livraison"),
        Step::Attempt => (code("83", "", ""), "Echec de livraison"),
        // 82 is seen while the parcel still waits: only the newest line tells the two apart.
        Step::AtPickup => (code("82", "", ""), "Disponible au Point Relais"),
        Step::Collected => (code("82", "", ""), "Colis retiré par le destinataire"),
        Step::Delivered => (code("82", "", ""), "Colis remis au destinataire"),
        Step::ReturnStarted => (code("81", "", ""), "Retour en cours"),
        Step::ReturnMoving => (code("81", "", ""), "Retour à l'expéditeur"),
        Step::ReturnedToSender => (code("81", "", ""), "Colis retourné à l'expéditeur"),
        Step::Delay => (code("83", "", ""), "Incident de transport"),
        Step::Damaged => (code("83", "", ""), "Colis endommagé"),
        Step::Lost => (code("83", "", ""), "Colis perdu"),
        Step::CustomsIn | Step::CustomsHeld | Step::CustomsOut => return None,
    })
}
