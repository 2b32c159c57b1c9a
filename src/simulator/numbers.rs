//! Tracking numbers with valid check digits, made from the carriers' published rules.

use super::chance::Chance;

/// A UPS 1Z number: shipper 6, service 2, package 7, check digit 1.
pub fn ups(chance: &mut Chance) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHXYVW";
    let letter = chance.one_of(LETTERS).copied().unwrap_or(b'A');
    let body = format!("{}{}{}{}", chance.digits(3), char::from(letter), chance.digits(2), chance.digits(9));
    let check = ups_check(&body);
    format!("1Z{body}{check}")
}

/// The check digit over the fifteen characters after `1Z`: every second one counts twice.
pub fn ups_check(body: &str) -> u32 {
    let sum: u32 = body
        .bytes()
        .enumerate()
        .map(|(index, byte)| {
            let value = if byte.is_ascii_digit() { u32::from(byte - b'0') } else { (u32::from(byte) - 63) % 10 };
            if index % 2 == 0 { value } else { value * 2 }
        })
        .sum();
    (10 - sum % 10) % 10
}

/// A FedEx Express number of twelve digits.
pub fn fedex(chance: &mut Chance) -> String {
    let body = format!("7{}", chance.digits(10));
    let check = fedex_check(&body);
    format!("{body}{check}")
}

/// Weights 3, 1, 7 over eleven digits, modulo 11, modulo 10.
pub fn fedex_check(body: &str) -> u32 {
    let sum: u32 =
        body.bytes().zip([3, 1, 7].into_iter().cycle()).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    sum % 11 % 10
}

/// A Colissimo number (the rule of its last digit is not published, so it is any digit).
pub fn colissimo(chance: &mut Chance) -> String {
    let prefix = chance.one_of(&["6A", "6M", "8R", "9V"]).copied().unwrap_or("6A");
    format!("{prefix}{}", chance.digits(11))
}

/// An international postal number (S10): two letters, nine digits, country.
pub fn postal(chance: &mut Chance, service: &str, country: &str) -> String {
    let serial = chance.digits(8);
    let check = postal_check(&serial);
    format!("{service}{serial}{check}{country}")
}

/// Weights 8 6 4 2 3 5 9 7, eleven minus the rest; 10 becomes 0 and 11 becomes 5.
pub fn postal_check(serial: &str) -> u32 {
    let sum: u32 =
        serial.bytes().zip([8, 6, 4, 2, 3, 5, 9, 7]).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    match 11 - sum % 11 {
        10 => 0,
        11 => 5,
        check => check,
    }
}

/// A Mondial Relay shipment: eight digits, no check digit.
pub fn mondialrelay(chance: &mut Chance) -> String {
    format!("{}{}", 1 + chance.below(9), chance.digits(7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_agree_with_numbers_that_exist() {
        assert_eq!(ups_check("5R8939035756712"), 7);
        assert_eq!(ups_check("879E93034683444"), 0);
        assert_eq!(postal_check("47312482"), 9); // RR473124829GB, the example of the S10 standard
        assert_eq!(fedex_check("77123456789"), {
            let digits = [7, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9];
            let weights = [3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1];
            digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum::<u32>() % 11 % 10
        });
    }

    #[test]
    fn generated_numbers_have_their_carriers_shape() {
        let mut chance = Chance::new(7);
        for _ in 0..200 {
            let ups = ups(&mut chance);
            assert_eq!(ups.len(), 18, "{ups}");
            let fedex = fedex(&mut chance);
            assert!(fedex.len() == 12 && fedex.bytes().all(|byte| byte.is_ascii_digit()), "{fedex}");
            assert_eq!(colissimo(&mut chance).len(), 13);
            assert_eq!(postal(&mut chance, "LB", "FR").len(), 13);
            assert_eq!(mondialrelay(&mut chance).len(), 8);
        }
    }
}
