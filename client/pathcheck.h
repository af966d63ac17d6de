/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Do IKE and ESP come back from a peer?  Asked from the leased address, in its namespace. */
#ifndef RSIP_CLIENT_PATHCHECK_H
#define RSIP_CLIENT_PATHCHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>

enum rsip_ike_back {
	RSIP_IKE_ANSWERED,
	RSIP_IKE_SILENT,
	RSIP_IKE_UNREACHABLE, /* an ICMP error says why */
};

enum rsip_esp_back {
	RSIP_ESP_COMES,	      /* SAs with the peer receive, or did and are idle */
	RSIP_ESP_ONE_WAY,     /* SAs send and receive nothing, now or since they are there */
	RSIP_ESP_UNUSED,      /* SAs are there and have sent nothing */
	RSIP_ESP_NO_SA,	      /* a probe went out; silence is what an unknown SPI deserves */
	RSIP_ESP_UNREACHABLE, /* a probe drew an ICMP error */
};

struct rsip_path {
	enum rsip_ike_back ike;
	uint16_t notify; /* of the peer's IKE answer; 0: none */
	uint32_t ike_us; /* until it came */
	enum rsip_esp_back esp;
	bool encap;		  /* the SAs are in UDP */
	uint64_t esp_in, esp_out; /* packets of the SAs with the peer */
	uint64_t esp_in_now, esp_out_now; /* of these, while this looked */
	__be32 icmp_from;	  /* who sent the last ICMP error; 0: none */
	uint8_t icmp_type, icmp_code;
};

/*
 * Sends an IKE_SA_INIT from the port, its SPI labelled, and an ESP packet where there is no SA, and watches SAs for a second; waits up to some
 * seconds.  The calling thread is in the namespace and may use raw sockets.  0 or a negative errno.
 */
int rsip_path_check(__be32 addr, uint16_t port, uint32_t label, __be32 peer,
		    struct rsip_path *path);

#endif
