Stories of refs: GRA14, and what closes: ING6. The language is described at type story.

=== ING6: a finding closes when a covering scan does not see it
scan main 1 complete: A:10 B:20
expect:
A open main=observed
B open main=observed

scan main 2 complete: A:12
expect:
A open main=observed
B fixed main=fixed basis=declared

=== ING6: without a word of coverage nothing closes
scan main 1 complete: A:10 B:20
scan main 2: A:10
expect:
A open main=observed
B not_observed main=not_observed

scan main 3 complete: A:10
expect:
A open main=observed
B fixed main=fixed basis=declared

=== ING6: a narrowed scan closes only where it looked
scan main 1 complete: A:10,file=src/a.go B:20,file=lib/b.go
scan main 2 proven=lib/**:
expect:
A not_observed main=not_observed
B fixed main=fixed basis=proven

=== ING6: a failed scan says nothing
scan main 1 complete: A:10
scan main 2 failed:
expect:
A open main=observed

=== ING6: a partial scan says nothing of what it does not list
scan main 1 complete: A:10
scan main 2 partial:
expect:
A not_observed main=not_observed

=== ING6: reopened
scan main 1 complete: A:10
scan main 2 complete:
scan main 3 complete: A:11
expect:
A open main=observed reopened=1

=== ING6: a window adds and never closes
scan main 1 complete: A:10
scan main 2 window complete: B:20
expect:
A open main=observed
B open main=observed

=== ING6: a delta withdraws what it names
scan main 1 complete: A:10,tool=a-1 B:20,tool=b-1
scan main 2 delta withdraw=a-1: C:30,tool=c-1
expect:
A fixed main=fixed basis=proven
B open main=observed
C open main=observed

=== ING6: the tool itself says that it is fixed
scan main 1: A:10
scan main 2: A:10,status=fixed
expect:
A fixed main=fixed basis=proven

=== ING6: fixed when first heard of
scan main 1: A:10,status=fixed
expect:
A fixed main=fixed basis=proven

=== GRA14: a branch is another presence of the same finding
scan main 1 complete: A:10
scan dev 2 complete: A:14 B:20
expect:
A open main=observed dev=observed
B open dev=observed

=== GRA14: fixed on main counts, though a branch still has it
scan main 1 complete: A:10
scan dev 2 complete: A:10
scan main 3 complete:
expect:
A fixed main=fixed dev=observed basis=declared

=== GRA14: fixed on a branch, main still counts
scan main 1 complete: A:10
scan dev 2 complete: A:10
scan dev 3 complete:
expect:
A open main=observed dev=fixed

=== GRA14: deleting a branch closes nothing
scan dev 1 complete: A:10
delete dev 2
expect:
A scope_lost dev=scope_lost

=== GRA14: a pull request's presences live and expire with it
scan main 1 complete: A:10
scan pr:1 2 complete: A:10 B:20
expect:
A open main=observed pr:1=observed
B open pr:1=observed

close pr:1 3
expect:
A open main=observed pr:1=gone
B gone pr:1=gone

=== GRA14: merge: what came in is open until main was looked at
scan main 1 complete: A:10
scan pr:1 2 complete: A:10 B:20
merge pr:1 into main 3
expect:
A open main=observed pr:1=gone
B not_observed main=not_observed pr:1=gone

scan main 4 complete: A:10 B:22
expect:
A open main=observed pr:1=gone
B open main=observed pr:1=gone

=== GRA14: merge: fixed before it went in
scan main 1 complete: A:10
scan pr:1 2 complete: A:10 B:20
merge pr:1 into main 3
scan main 4 complete: A:10
expect:
A open main=observed pr:1=gone
B fixed main=fixed pr:1=gone basis=declared

=== GRA14: merge carries decisions along
scan main 1 complete: A:10
scan pr:1 2 complete: A:10 B:20
decide B triaged 3
merge pr:1 into main 4
scan main 5 complete: A:10 B:22
expect:
A open main=observed pr:1=gone
B triaged main=observed pr:1=gone verdict=triaged

=== GRA14: a backport carries decisions along
scan main 1 complete: A:10
decide A accepted 2
scan release/1 3 complete: A:9
expect:
A accepted main=observed release/1=observed verdict=accepted

=== GRA14: fixed on main, still in a release
scan main 1 complete: A:10
scan release/1 2 complete: A:9
scan main 3 complete:
expect:
A open main=fixed release/1=observed

scan release/1 4 complete:
expect:
A fixed main=fixed release/1=fixed basis=declared

=== GRA14: fixed on main but running in production stays open there
scan main@c1 1 complete: A:10
deploy c1 to production 2
scan main@c2 3 complete after=c1:
expect:
A open main=fixed @production=observed

deploy c2 to production 4
expect:
A fixed main=fixed @production=fixed basis=declared

=== GRA14: rolled back
scan main@c1 1 complete: A:10
scan main@c2 2 complete after=c1:
deploy c2 to production 3
expect:
A fixed main=fixed basis=declared

deploy c1 to production 4
expect:
A open main=fixed @production=observed

=== GRA14: a version that nobody scanned
scan main@c1 1 complete: A:10
deploy c1 to production 2
scan main@c2 3 complete after=c1:
deploy c9 to production 4
expect:
A scope_lost main=fixed @production=scope_lost

=== GRA14: the version is scanned after it was deployed
deploy c1 to production 1
scan main@c1 2 complete: A:10
expect:
A open main=observed @production=observed

=== GRA14: two environments
scan main@c1 1 complete: A:10
scan main@c2 2 complete after=c1: A:10 B:20
deploy c1 to production 3
deploy c2 to staging 3
scan main@c3 4 complete after=c2,c1:
expect:
A open main=fixed @production=observed @staging=observed
B open main=fixed @staging=observed

=== An image of a tag is superseded by a newer one of that tag
scan latest@sha256:1 1 complete: A:10 B:20
scan latest@sha256:2 2 complete: A:10
expect:
A open latest=observed
B fixed latest=fixed basis=declared

=== An image that was superseded still runs
scan latest@sha256:1 1 complete: A:10 B:20
deploy sha256:1 to production 2
scan latest@sha256:2 3 complete: A:10
expect:
A open latest=observed @production=observed
B open latest=fixed @production=observed

deploy sha256:2 to production 4
expect:
A open latest=observed @production=observed
B fixed latest=fixed @production=fixed basis=declared

=== A machine that ended is gone, not fixed
scan - 1 complete: A,host=web-1 B,host=web-2
end WEB-1 2
expect:
A gone -=gone
B open -=observed

=== A machine that comes back
scan - 1 complete: A,host=web-1
end web-1 2
scan - 3 complete: A,host=web-1
expect:
A open -=observed reopened=1

=== A covering scan says nothing new of a machine that ended
scan - 1 complete: A,host=web-1
end web-1 2
scan - 3 complete:
expect:
A gone -=gone
