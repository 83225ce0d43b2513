#!/bin/sh
# Mosquitto on the accounts that NOC's web service keeps: mosquitto.sh ACCOUNTS OWN CONFIG [PORT]
#
#   ACCOUNTS  the folder in NOC_BROKER_FOLDER
#   OWN       an empty folder of Mosquitto's own user; what is in ACCOUNTS is copied there, because newer versions
#             of Mosquitto read only what belongs to their user
#   CONFIG    a mosquitto.conf with OWN/mosquitto.users as its password_file and OWN/mosquitto.acl as its acl_file
#   PORT      where other sites connect, with TLS only, while there is a certificate in ACCOUNTS (8883); with one of
#             their own, while the authority that signs it is there, too
#
# It starts Mosquitto when the accounts are there, and has it read them again when they change: who is no longer let in
# is cut off within half a second, and nobody else notices. It ends when Mosquitto ends, and on SIGTERM with it.
set -eu
umask 077
accounts=$1 own=$2 config=$3 port=${4:-8883}
taken='' listens='' child=''

say() {
    echo "mosquitto.sh: $*" >&2
}

# Files are replaced whole, and the revision last: what is copied while they change is copied once more.
take() {
    read -r taken < "$accounts/revision"
    for file in mosquitto.users mosquitto.acl listener.key listener.pem sites-authority.pem; do
        rm -f "$own/.new"
        if [ -f "$accounts/$file" ]; then
            cat "$accounts/$file" > "$own/.new"
            mv -f "$own/.new" "$own/$file"
        else
            rm -f "$own/$file"
        fi
    done
}

# Whether there is a listener for sites, and whether it asks them for certificates.
is_for_sites() {
    [ -s "$own/listener.pem" ] && [ -s "$own/listener.key" ] || { echo no; return; }
    [ -s "$own/sites-authority.pem" ] && echo certified || echo yes
}

start() {
    cat "$config" > "$own/mosquitto.conf"
    listens=$(is_for_sites)
    if [ "$listens" != no ]; then
        printf '\nlistener %s\ncertfile %s\nkeyfile %s\n' "$port" "$own/listener.pem" "$own/listener.key" >> "$own/mosquitto.conf"
    fi
    if [ "$listens" = certified ]; then
        printf 'cafile %s\nrequire_certificate true\n' "$own/sites-authority.pem" >> "$own/mosquitto.conf"
    fi
    PATH="$PATH:/usr/sbin" mosquitto -c "$own/mosquitto.conf" &
    child=$!
    # Before it has come so far, the signal to read again would end it.
    sleep 1
}

stop() {
    if [ -n "$child" ]; then
        kill -TERM "$child" 2> /dev/null || :
        wait "$child" || :
    fi
}

trap 'stop; exit 0' TERM INT
if [ ! -s "$accounts/revision" ]; then
    say "waiting for the accounts that NOC's web service writes to $accounts"
fi
until [ -s "$accounts/revision" ]; do
    sleep 0.2
done
take
start
while kill -0 "$child" 2> /dev/null; do
    sleep 0.2
    read -r now < "$accounts/revision" || continue
    [ "$now" != "$taken" ] || continue
    take
    if [ "$(is_for_sites)" = "$listens" ]; then
        kill -HUP "$child" 2> /dev/null || :
    else
        # A signal does not open or close a listener.
        say "the listener for sites is another or gone; Mosquitto starts again"
        stop
        start
    fi
done
wait "$child"
