#!/bin/bash
# Makes the instance translate the private subnets' addresses into its own.
set -euo pipefail

echo "net.ipv4.ip_forward = 1" >/etc/sysctl.d/90-nat.conf
sysctl --load /etc/sysctl.d/90-nat.conf

dnf install --assumeyes nftables
cat >/etc/sysconfig/nftables.conf <<'RULES'
table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname != "lo" masquerade
  }
}
RULES
systemctl enable --now nftables
