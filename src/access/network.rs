//! What counts as one address where clients are counted.

use std::net::{IpAddr, Ipv6Addr};

/// The bits of an IPv6 address that name a network.
const IPV6_NETWORK_BITS: u32 = 64;

/// The address, or its network: whoever has one address of IPv6 has 2⁶⁴ of them.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let named = u128::MAX << (u128::BITS - IPV6_NETWORK_BITS);
            Ipv6Addr::from_bits(address.to_bits() & named).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_counts_as_one_address_and_an_old_address_is_one_however_it_is_written() {
        for (address, counted) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::", "2001:db8:1:2::"),
        ] {
            let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
            assert_eq!(network(parse(address)), parse(counted), "{address}");
        }
    }
}
