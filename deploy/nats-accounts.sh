#!/bin/sh
# Hands the accounts that NOC's web service keeps to every node of a NATS cluster: nats-accounts.sh ACCOUNTS THERE NODE...
#
#   ACCOUNTS  the folder in NOC_BROKER_FOLDER, on this machine
#   THERE     the folder on each node that its nats-server reads them in, with its pid_file nats-server.pid in it
#   NODE      a machine as ssh names it, such as nats@one; a key lets us in there without a password
#
# It runs beside the web service, and ends on SIGTERM. A node that is away gets them when it is back, and holds no other
# up. Each then reads them again: who is no longer let in is cut off, and nobody else notices.
set -eu
accounts=$1 there=$2
shift 2

say() {
    echo "nats-accounts.sh: $*" >&2
}

# What a node does: one whose server does not run reads them when it starts.
take_in="set -e
tar -C '$there' -xf -
pid=\$(cat '$there/nats-server.pid' 2> /dev/null) || exit 0
[ ! -d \"/proc/\$pid\" ] || nats-server --signal reload='$there/nats-server.pid'"

# The certificate of the listener goes along, where there is one.
hand_over() {
    set -- "$1" accounts.nats
    for file in listener.pem listener.key; do
        [ ! -f "$accounts/$file" ] || set -- "$@" "$file"
    done
    node=$1
    shift
    tar -C "$accounts" -cf - "$@" | timeout 20 ssh -o BatchMode=yes -o ConnectTimeout=5 "$node" "$take_in"
}

follow() {
    taken='' away=''
    while sleep 0.2; do
        read -r now < "$accounts/revision" || continue
        [ "$now" != "$taken" ] || continue
        # Files are replaced whole, and the revision last: what is read while they change is handed over once more.
        if hand_over "$1"; then
            taken=$now away=''
            say "$1 has the accounts"
        else
            [ -n "$away" ] || say "$1 cannot be given the accounts; it is tried again until it can"
            away=yes
            sleep 1
        fi
    done
}

children=''
trap 'kill $children 2> /dev/null || :; exit 0' TERM INT
for node in "$@"; do
    follow "$node" &
    children="$children $!"
done
wait
