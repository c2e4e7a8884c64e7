"""Being found on the LAN, and finding others there: mDNS and DNS-SD (RFC 6762, RFC 6763)."""
