/**
 * Every bound on what a peer or a file can make us do, in one place. Each is checked before memory is
 * allocated for the thing it bounds; each has a test at the limit and one past it.
 *
 * Units are last in the name: `_BYTES`, `_COUNT`, `_DEPTH`, `_MS`.
 *
 * Past 400 lines because it is one list, and of use because it is whole.
 */

/** Largest artifact, expanded. Fossil itself stops at SQLite's 1 GB blob limit less some slack. */
export const ARTIFACT_MAX_BYTES = 1_000_000_000;

/** Longest delta chain we follow. Stock never makes one near this; a longer one is a cycle or an attack. */
export const DELTA_CHAIN_MAX_DEPTH = 1_000_000;

/** Largest body of one HTTP request or NATS exchange, as it arrives (compressed). */
export const MESSAGE_MAX_BYTES = 1_073_741_824;

/** Largest message after inflation: one artifact of the largest size and room for its cards. */
export const MESSAGE_INFLATED_MAX_BYTES = 1_610_612_736;

/** Longest card line. Stock's longest legal one is a `config` or `uvfile` header, well below 2 KB. */
export const CARD_LINE_MAX_BYTES = 65_536;

/** Tokens of a card that count; stock ignores what follows the sixth. */
export const CARD_TOKEN_MAX_COUNT = 6;

/** Longest `Cookie` header in which a login is looked for. */
export const LOGIN_COOKIE_MAX_BYTES = 8_192;

/** Cards in one message; a clone of a million artifacts announces fewer in one round. */
export const CARD_MAX_COUNT = 4_000_000;

/** Largest structural artifact (manifest, cluster, wiki …) that we parse as one. */
export const MANIFEST_MAX_BYTES = 268_435_456;

/** Longest name of an unversioned file that is added here, as stock has it. */
export const UNVERSIONED_NAME_MAX_BYTES = 500;

/** Largest value in a `config` card: skins and logos are below a few MB. */
export const CONFIG_CARD_MAX_BYTES = 67_108_864;

/** Reply budget of a clone or pull page, as Fossil's `max-download` default. */
export const DOWNLOAD_BUDGET_BYTES = 5_000_000;

/** Longest time to spend on one reply, as Fossil's `max-download-time` default. */
export const DOWNLOAD_BUDGET_MS = 30_000;

/** Pages of clones kept in files, served or made ahead. */
export const CLONE_PAGES_MAX_BYTES = 64_000_000;

/** Replies on their way to HTTP clients beyond which further ones are held back for a while. */
export const HTTP_UNSENT_MAX_BYTES = 32_000_000;

/** How long a reply is held back for others to leave. A slow client must not stop the rest. */
export const HTTP_UNSENT_WAIT_MS = 3_000;

/** How long a page of a clone is kept. It ends with the time, which clients compare with theirs: stock warns from 10 s on. */
export const CLONE_PAGE_MAX_AGE_MS = 4_000;

/** Upload budget of one client round, as Fossil's `max-upload` default. */
export const UPLOAD_BUDGET_BYTES = 250_000;

/** Bytes of expanded artifacts kept in memory per open repository. */
export const CONTENT_CACHE_BYTES = 32_000_000;

/** File entries of parsed check-ins kept in memory while linking; 8 to 200 bytes each. */
export const MANIFEST_CACHE_FILES_COUNT = 40_000;

/** Hashes whose rids are kept in memory while linking; about 150 bytes each. */
export const RID_CACHE_COUNT = 100_000;

/** F cards kept in memory while parsing many check-ins; about 400 bytes each. */
export const FILE_MEMO_COUNT = 50_000;

/** File names whose ids are kept in memory while linking. */
export const FILENAME_CACHE_COUNT = 100_000;

/** How long a writer waits for a lock that another process holds before it reports it. */
export const BUSY_TIMEOUT_MS = 10_000;

/** How long an HTTP socket may be silent while a request arrives or a reply leaves, in seconds. */
export const HTTP_IDLE_SECONDS = 120;

/** Slowest rate at which the body of an HTTP request may come, once it has been waited for. */
export const HTTP_BODY_MIN_BYTES_PER_SECOND = 1_024;

/** Bodies of HTTP requests that are held at the same time, where one alone is not larger. */
export const HTTP_BODIES_MAX_BYTES = 1_073_741_824;

/** HTTP exchanges at the same time. */
export const HTTP_VISIT_MAX_COUNT = 1_000;

/** HTTP exchanges at the same time of one address, which may be an office behind one router. */
export const HTTP_ADDRESS_VISIT_MAX_COUNT = 64;

/** Clones at the same time of one address. */
export const HTTP_ADDRESS_CLONE_MAX_COUNT = 32;

/** Largest body that is read of an HTTP request that is to be turned away. */
export const HTTP_REFUSED_BODY_MAX_BYTES = 65_536;

/** How long the body of an HTTP request that is to be turned away is waited for. */
export const HTTP_REFUSED_BODY_MS = 2_000;

/** How long a stopping HTTP server waits for the last replies to leave its sockets. */
export const HTTP_DRAIN_MS = 1_000;

/** How long closing a repository waits for other connections before it leaves the WAL to them. */
export const CLOSE_BUSY_TIMEOUT_MS = 200;

/** Redirects followed in one exchange, as stock does. */
export const HTTP_REDIRECT_MAX_COUNT = 20;

/** How long an exchange that must write waits for another process's lock, from its arrival. */
export const LOCK_WAIT_MS = 15_000;

/** Character steps spent on looking for links in one text; hostile Markdown can ask for a quadratic number. */
export const MARKUP_WORK_MAX_STEPS = 20_000_000;

/** Bytes of expanded artifacts held while walking one delta tree, before some are dropped and expanded again. */
export const DELTA_TREE_HELD_BYTES = 64_000_000;

/** Gimme cards of a pull round; stock doubles from there with what it receives. */
export const GIMME_MIN_COUNT = 200;

/** Offers of one peer that a sync keeps in mind; further ones are heard again next time. */
export const OFFER_MAX_COUNT = 1_000_000;

/** Rounds in a row without an artifact either way after which a sync gives up on what a peer offers. */
export const SYNC_IDLE_ROUND_MAX_COUNT = 4;

/** Rounds of one sync. A pull of a million artifacts takes far fewer: requests double as they are met. */
export const SYNC_ROUND_MAX_COUNT = 10_000;

/** Pages in a row without a new artifact after which a clone gives up. */
export const CLONE_IDLE_ROUND_MAX_COUNT = 4;

/** Pages of one clone. With the smallest page a server can be set to, one artifact, enough for a million. */
export const CLONE_ROUND_MAX_COUNT = 1_000_000;

/** Expanded artifacts that a thread reads ahead for the one that links them. */
export const READ_AHEAD_BYTES = 2_000_000;

/** Artifacts read ahead that are held because one further on was needed first. */
export const READ_AHEAD_HELD_BYTES = 4_000_000;

/** How long one thread waits for another that feeds it, or is fed by it, before it takes it for dead. */
export const RING_SILENCE_MAX_MS = 600_000;

/** Memory for artifacts that a clone's verifiers expand at the same time, where one alone does not take more. */
export const CLONE_VERIFY_MAX_BYTES = 96_000_000;

/** Longest control line of the NATS protocol after its operation name, as nats-server's default. */
export const NATS_CONTROL_LINE_MAX_BYTES = 4_096;

/** Longest control line of a leafnode: its INFO carries addresses of a whole cluster. */
export const NATS_LEAF_CONTROL_LINE_MAX_BYTES = 65_536;

/** Pages, of 4 KB, of the database in which the SQL of a project's ticket tables is tried. */
export const TICKET_SCHEMA_PAGE_MAX_COUNT = 4_096;

/** Digits of a size in the NATS protocol that are read; nats-server refuses ten. */
export const NATS_SIZE_DIGIT_MAX_COUNT = 9;

/** Payload with its headers that the embedded broker accepts unless told otherwise. */
export const NATS_PAYLOAD_MAX_BYTES = 8_388_608;

/** Bytes waiting for one reader of the embedded broker before it is closed as too slow. */
export const NATS_PENDING_MAX_BYTES = 67_108_864;

/** Connections of the embedded broker, clients and leafnodes together. */
export const NATS_CONNECTION_MAX_COUNT = 10_000;

/** Results of subject matching that the embedded broker keeps. */
export const NATS_MATCH_CACHE_COUNT = 1_024;

/** Time between two PINGs to a silent connection. */
export const NATS_PING_INTERVAL_MS = 120_000;

/** PINGs without an answer after which a connection is stale. */
export const NATS_PING_OUT_MAX_COUNT = 2;

/** Time for a new connection to send its CONNECT where one is needed, TLS included. */
export const NATS_AUTH_TIMEOUT_MS = 2_000;

/** Subscriptions of one connection. */
export const NATS_SUBSCRIPTION_MAX_COUNT = 1_000_000;

/** Peers that a leaf syncs with at the same time; others wait for their turn. */
export const SYNC_CONCURRENT_MAX_COUNT = 4;

/** Messages of a peer, and refused artifacts, that are kept of one sync. */
export const SYNC_TOLD_MAX_COUNT = 20;

/** How long a leaf waits after a failed sync before it tries again, at first. */
export const SYNC_RETRY_MIN_MS = 1_000;

/** How long it waits after many failures. */
export const SYNC_RETRY_MAX_MS = 300_000;

/** Longest wait between two attempts to reach an external NATS server. */
export const NATS_RECONNECT_MAX_MS = 8_000;

/** Time between two PINGs to an external NATS server; two without an answer end the connection. */
export const NATS_EXTERNAL_PING_MS = 20_000;

/** Largest message, inflated, to a NATS peer that does not say how large it may be. */
export const NATS_PLAIN_MESSAGE_MAX_BYTES = 67_108_864;

/** Payload of one chunk of a message that is sent in parts, before headers. */
export const NATS_CHUNK_MAX_BYTES = 524_288;

/** Chunks on their way that their receiver has not acknowledged, in bytes. */
export const NATS_WINDOW_MAX_BYTES = 4_194_304;

/** Messages up to this size travel as one if the server allows; larger ones in chunks where the peer knows them. */
export const NATS_WHOLE_MESSAGE_MAX_BYTES = 262_144;

/** Exchanges over NATS that one repository answers at a time. */
export const NATS_SERVED_MAX_COUNT = 8;

/** Exchanges over NATS that wait for their turn; further ones are refused. */
export const NATS_WAITING_MAX_COUNT = 256;

/** Messages that are being received in chunks by one server, their announced sizes added up. */
export const NATS_INCOMING_MAX_BYTES = 1_610_612_736;

/** Silence of a peer after which an exchange over NATS fails. */
export const NATS_IDLE_MS = 30_000;

/** Time between two signs of life of a peer that works on a request. */
export const NATS_ALIVE_MS = 2_000;

/** Time without an acknowledgement after which the chunks on their way are sent again. */
export const NATS_RESEND_MS = 1_500;

/** Largest body of a request to a leaf's control server. */
export const CONTROL_BODY_MAX_BYTES = 65_536;

/** Requests that a leaf's control server answers at the same time. */
export const CONTROL_REQUEST_MAX_COUNT = 64;

/** How long a stopping control server waits for its last answers to leave. */
export const CONTROL_DRAIN_MS = 500;

/** Largest file that is read as the one a leaf writes its control address to. */
export const CONTROL_FILE_MAX_BYTES = 4_096;

/** How long a daemon that was told to stop may take over it. */
export const STOP_MAX_MS = 4_500;

/** How long a command waits for a leaf to say how it is. */
export const STATUS_WAIT_MS = 5_000;

/** Longest hash, in hex digits. */
export const HASH_MAX_DIGITS = 64;

/** Largest announcement of news: its artifacts, three bytes more than their digits each, a reply, and the rest. */
export const ANNOUNCEMENT_MAX_BYTES = 49_152;

/** Largest reply in an announcement, compressed and not. */
export const ANNOUNCED_REPLY_MAX_BYTES = 16_384;
export const ANNOUNCED_REPLY_INFLATED_MAX_BYTES = 65_536;

/** Artifacts of this size in all, and earlier versions of this size each, are put into an announcement. */
export const ANNOUNCED_CONTENT_MAX_BYTES = 32_768;

/** Tips in one announcement. */
export const ANNOUNCED_TIP_MAX_COUNT = 16;

/** Artifacts that an announcement names; when more are new it names none. */
export const ANNOUNCED_ARTIFACT_MAX_COUNT = 128;

/** Longest web address or endpoint id that a peer tells of itself, in UTF-16 units. */
export const PEER_ADDRESS_MAX_LENGTH = 1_024;

/** Longest name, version or transport that a peer tells of itself, in UTF-16 units. */
export const PEER_NAME_MAX_LENGTH = 64;

/** Largest presence message. */
export const PRESENCE_MAX_BYTES = 8_192;

/** Tips in one presence message. */
export const PRESENCE_TIP_MAX_COUNT = 16;

/** Transports in one presence message. */
export const PRESENCE_TRANSPORT_MAX_COUNT = 8;

/** Shortest and longest time between two beats of a peer that is believed. */
export const PRESENCE_BEAT_MIN_MS = 1_000;
export const PRESENCE_BEAT_MAX_MS = 300_000;

/** Peers of one project that are kept in mind; further ones are not until one expires. */
export const PRESENCE_PEER_MAX_COUNT = 4_096;

/** Phantoms that are watched for their content to come, the newest ones. */
export const NEWS_PHANTOM_MAX_COUNT = 1_000;

/** How long after the last sign of a write a commit is looked for, more and more rarely. */
export const WATCH_BURST_MS = 1_000;

/** How often a repository is looked at without any sign of a write. */
export const WATCH_POLL_MS = 2_000;

/** News further apart than this are told of one by one. */
export const NEWS_SINGLE_MS = 60;

/** Shortest and longest time between two tellings of news while they come closer together. */
export const NEWS_PAUSE_MIN_MS = 100;
export const NEWS_PAUSE_MAX_MS = 3_000;

/** How long after news was told it is noted in the repository. */
export const NEWS_NOTE_MS = 5_000;

/** How long a leaf that stops goes on with exchanges over NATS that are under way. */
export const NATS_DRAIN_MS = 2_000;

/** Pulls from one peer that may bring nothing before its announcements are passed over. */
export const FETCH_CREDIT_COUNT = 5;

/** How long it takes until one more such pull is allowed. */
export const FETCH_CREDIT_MS = 10_000;

/** How often a peer tells that it is there. */
export const PRESENCE_BEAT_MS = 30_000;

/** Within this time a peer that joins is answered. */
export const PRESENCE_ANSWER_MS = 100;

/** Peers that join at about the same time and are answered; others learn of us by the next beat. */
export const PRESENCE_ANSWER_MAX_COUNT = 256;

/** Artifacts in no cluster over which a digest is made. */
export const PRESENCE_UNCLUSTERED_MAX_COUNT = 5_000;

/** How soon a peer that seems to have more, or other things, is synced with. */
export const MESH_SOON_MS = 1_000;

/** After a commit, until it is looked whether unversioned files have changed. */
export const FILES_NEWS_PAUSE_MS = 250;

/** Announcing peers that are kept in mind without having told of themselves. */
export const MESH_HEARD_MAX_COUNT = 256;

/** Exchanges of a bridge with its server at the same time. */
export const BRIDGE_EXCHANGE_MAX_COUNT = 16;

/** Largest message that a bridge passes on: it holds the message in memory. */
export const BRIDGE_MESSAGE_MAX_BYTES = 268_435_456;

/** Artifacts announced by a bridge that are kept in mind until its next look at the server. */
export const BRIDGE_KNOWN_MAX_COUNT = 100_000;

/** Longest first line of an iroh peer that wants to link. */
export const IROH_HELLO_MAX_BYTES = 256;

/** How long a leaf waits at first until it connects to an iroh peer again, and after many failures. */
export const IROH_RETRY_MIN_MS = 500;
export const IROH_RETRY_MAX_MS = 30_000;

/** How long other ways are taken to a peer that iroh did not lead to, at first and after many failures. */
export const IROH_AVOID_MS = 60_000;
export const IROH_AVOID_MAX_MS = 600_000;

/** How long nothing at all may come back on a connection that a request was sent on. */
export const IROH_DEAF_MS = 3_000;

/** How long iroh is waited for where there is another way to a peer. */
export const IROH_DETOUR_MS = 1_500;

/** How often a leaf looks after its iroh connections; silence that ends one: idle peers are heard every 5 s. */
export const IROH_HEALTH_MS = 1_000;
export const IROH_SILENT_MS = 11_000;

/** How often it looks after its iroh endpoint, and that one's relay. */
export const IROH_ENDPOINT_LOOK_MS = 5_000;

/** Peers that a leaf stays linked with because it heard of them, without being told to. */
export const IROH_MET_MAX_COUNT = 8;

/** How long such a peer is tried to be linked with again after it was lost. */
export const IROH_MET_KEEP_MS = 3_600_000;

/** How long an endpoint may be without any connection, or without the relay that others reach, until it begins anew; most of it after many times. */
export const IROH_REBIND_MS = 60_000;
export const IROH_REBIND_MAX_MS = 900_000;

/** Bytes that cross the border to iroh at a time. */
export const IROH_CHUNK_BYTES = 65_536;

/** Largest file that is read as the key of an iroh endpoint. */
export const IROH_KEY_FILE_MAX_BYTES = 256;

/** How long an iroh endpoint is waited for. */
export const IROH_CONNECT_MS = 10_000;

/** Silence of an iroh peer in the middle of a message after which an exchange fails. */
export const IROH_IDLE_MS = 30_000;

/** How long an iroh peer may work on a request; one that is gone is noticed sooner. */
export const IROH_REPLY_MS = 120_000;

/** Connections of an iroh endpoint, those included that have not proved who they are, beyond which no other is let in. */
export const IROH_CONNECTION_MAX_COUNT = 256;

/** Exchanges that one iroh connection may have under way. */
export const IROH_STREAM_MAX_COUNT = 32;

/** Exchanges over iroh that one repository answers at a time; others wait for their turn. */
export const IROH_SERVED_MAX_COUNT = 8;

/** Requests over iroh that are being received or answered, added up. */
export const IROH_INCOMING_MAX_BYTES = 1_610_612_736;

/** Longest line of a text that is compared line by line; a file with a longer one is binary, as for stock. */
export const DIFF_LINE_MAX_BYTES = 32_767;

/** Entries, and bytes in all, of a ZIP archive without extensions. */
export const ZIP_ENTRY_MAX_COUNT = 65_535;
export const ZIP_MAX_BYTES = 4_294_967_295;

/** Columns of a synced table, and the longest name of one or of a table. */
export const TABLE_COLUMN_MAX_COUNT = 64;
export const TABLE_NAME_MAX_LENGTH = 64;

/** Largest row of a synced table, as JSON. */
export const TABLE_ROW_MAX_BYTES = 1_048_576;

/** Arrays and objects in one another, in a JSON value of a synced table. */
export const JSON_MAX_DEPTH = 64;

/** A file or text larger than this is found by its name alone. */
export const SEARCH_TEXT_MAX_BYTES = 4_194_304;

/** Longest token of an invitation, in UTF-16 units. */
export const INVITE_TOKEN_MAX_LENGTH = 4_096;
