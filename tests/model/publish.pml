/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The publish protocol of include/rsip/maps.h and lib/tables.c: one writer, readers without locks.
 *
 *   install   record, then the table entry (its key, then its slot)
 *   remove    the entry's slot, then the record; the slot rests until a grace period has passed
 *   reuse     of an entry's place at once, of a slot only after that
 *   move      an entry to its other bucket: copied, a grace period, the old one cleared, another
 *
 * Two keys and three places: key 1 may be in place 0 or 1, key 2 in place 1 or 2, readers look in this order; what
 * lies in the way is moved, also from a second place to a first one, which a reader may have left behind.  Hosts are numbers that are never used again.  What must hold:
 *
 *   - a packet reaches nobody who did not lease its key at some moment while it was under way;
 *   - a packet whose key was leased all the time reaches its host, whatever moves meanwhile.
 *
 * -DWEAK     a reader's loads of one entry happen in any order, as without RSIP_AFTER on a machine that reorders:
 *            the model finds the packet that goes astray
 * -DNO_GRACE a slot is reused at once: likewise
 * -DNO_MOVE_GRACE an entry that moves is cleared at once: a packet finds nothing
 */
#ifndef OPS
#define OPS 5
#endif
#ifndef READERS
#define READERS 2 /* at most */
#endif
#define PLACES 3
#define SLOTS 3 /* 1, 2; 0 is none */

byte e_key[PLACES], e_slot[PLACES];
byte r_owner[SLOTS];
bool r_live[SLOTS];

/* the writer's own notes */
byte state[SLOTS]; /* 0 free, 1 used, 2 resting */
byte slot_of[3]; /* of a key, 0: none */
byte next_host = 1;

/* what the claims are judged by */
byte owner[3]; /* who leases the key now */
bool must[3]; /* its installation is done, its removal not begun: now it must be found */
byte had[2]; /* bit: this host leased the reader's key at some moment while the reader ran */
bool changed[2]; /* the lease of its key began or ended meanwhile */
byte reads[2]; /* its key; 0: not under way */
byte runs[2];

#define BIT(n) (1 << (n))
#define FIRST(k) ((k) - 1)
#define SECOND(k) (k)

inline note(k, h)
{
	atomic {
		owner[k] = h;
		i = 0;
		do
		:: i < READERS ->
			if
			:: reads[i] == k ->
				changed[i] = true;
				had[i] = had[i] | (h > 0 -> BIT(h) : 0)
			:: else
			fi;
			i++
		:: else -> break
		od
	}
}

/* membarrier: every reader that is under way now has ended when it returns */
inline grace()
{
	d_step { g0 = runs[0]; g1 = runs[1]; b0 = reads[0] > 0; b1 = reads[1] > 0 };
	(!b0 || runs[0] != g0);
	(!b1 || runs[1] != g1)
}

inline publish(p, k, s)
{
	e_key[p] = k;
	e_slot[p] = s
}

inline move(from, to)
{
	publish(to, e_key[from], e_slot[from]);
#ifndef NO_MOVE_GRACE
	grace();
#endif
	e_slot[from] = 0;
	grace()
}

inline install(k)
{
	s = (state[1] == 0 -> 1 : (state[2] == 0 -> 2 : 0));
	if
	:: s == 0 -> skip
	:: else ->
		p = 255;
		if
		:: e_slot[FIRST(k)] == 0 -> p = FIRST(k)
		:: e_slot[SECOND(k)] == 0 -> p = SECOND(k)
		/* another place may be free, too: in a fuller table none is */
		:: k == 2 && e_slot[1] != 0 && e_slot[0] == 0 -> move(1, 0); p = 1
		:: k == 1 && e_slot[1] != 0 && e_slot[2] == 0 -> move(1, 2); p = 1
		:: else -> skip
		fi;
		if
		:: p != 255 ->
			r_owner[s] = next_host;
			r_live[s] = true;
			note(k, next_host);
			next_host++;
			publish(p, k, s);
			must[k] = true;
			state[s] = 1;
			slot_of[k] = s
		:: else -> skip
		fi
	fi
}

inline remove(k)
{
	s = slot_of[k];
	atomic { must[k] = false; note(k, owner[k]) };
	p = 0;
	do
	:: p < PLACES ->
		if
		:: e_slot[p] == s -> e_slot[p] = 0
		:: else
		fi;
		p++
	:: else -> break
	od;
	r_live[s] = false;
	note(k, 0);
	slot_of[k] = 0;
#ifdef NO_GRACE
	state[s] = 0
#else
	state[s] = 2
#endif
}

active proctype writer()
{
	byte n = 0, s, p, i, g0, g1;
	bool b0, b1;

	do
	:: n < OPS ->
		if
		:: slot_of[1] == 0 -> install(1)
		:: slot_of[2] == 0 -> install(2)
		:: slot_of[1] != 0 -> remove(1)
		:: slot_of[2] != 0 -> remove(2)
		:: state[1] == 2 || state[2] == 2 ->
			grace();
			d_step {
				if :: state[1] == 2 -> state[1] = 0 :: else fi;
				if :: state[2] == 2 -> state[2] = 0 :: else fi
			}
		fi;
		n++
	:: else -> break
	od
}

/* One entry: the slot, the key, the slot again; without order, any order of these loads. */
inline look(p)
{
#ifdef WEAK
	if
	:: s = e_slot[p]; k = e_key[p]; s2 = e_slot[p]
	:: k = e_key[p]; s = e_slot[p]; s2 = e_slot[p]
	fi;
#else
	s = e_slot[p];
	k = e_key[p];
	s2 = e_slot[p];
#endif
	if
	:: found == 0 && s != 0 && s == s2 && k == mine -> found = s
	:: else
	fi
}

active [READERS] proctype reader()
{
	byte mine, s, s2, k, found, to;
	byte me = _pid - 1;
	byte n = 0;

	do
	:: n < 2 ->
		atomic {
			if :: mine = 1 :: mine = 2 fi;
			reads[me] = mine;
			changed[me] = !must[mine];
			had[me] = (owner[mine] > 0 -> BIT(owner[mine]) : 0)
		}
		found = 0;
		to = 0;
		look(FIRST(mine));
		if
		:: found == 0 -> look(SECOND(mine))
		:: else
		fi;
		if
		:: found != 0 && r_live[found] -> to = r_owner[found]
		:: else
		fi;
		atomic {
			assert(to == 0 || (had[me] & BIT(to))); /* never astray */
			assert(changed[me] || had[me] == 0 || to != 0); /* never lost */
			reads[me] = 0;
			runs[me]++;
			found = 0; s = 0; s2 = 0; k = 0; to = 0
		}
		n++
	:: else -> break
	od
}
