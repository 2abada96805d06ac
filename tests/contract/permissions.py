"""Who may do what: one row for each field, argument and input field of the schema, one column for each asker.

What is asked is always about the first customer. Each row is written by hand, knows nothing of the server's own rules,
and is held against what the server really answers by `test_permissions.py`.

    Y   yes, and what comes is the first customer's, or about nobody
    S   yes, but what comes, or is recorded, is the asker's own customer's: not the first one's
    -   yes, but there is nothing to tell
    R   the action gets the verdict REFUSED; where there are no verdicts, INVALID
    N   NOT_FOUND
    F   FORBIDDEN
    U   UNAUTHENTICATED
"""

# In the order of the columns, in the same groups.
ASKERS = (
    ("nobody",),
    (
        "another channel",
        "a channel that may not read",
        "a channel that may not record",
        "a channel",
        "a channel beside the customer's token",
        "a channel beside another customer's token",
    ),
    ("the customer", "another customer"),
    ("an agent without a reason", "an agent in no such contact", "an agent with a reason", "an agent in the contact"),
    ("an admin's key", "an admin's token"),
    ("an agent's cookie", "an admin's cookie"),
    ("an expired token", "a revoked key", "a revoked session"),
)

TABLE = """
Query.customer                         U YFYYYN YN FFYY YY YY UUU
Query.customer(by:)                    U YFYYYN YN FFYY YY YY UUU
Query.customers                        U FFFFFF FF FFYY YY YY UUU
Query.customers(value:)                U FFFFFF FF FFYY YY YY UUU
Query.node                             U YFYYYN YN FFYY YY YY UUU
Query.node(id:)                        U YFYYYN YN FFYY YY YY UUU
Query.context                          U YFYYYS YS FFYY YY YY UUU
Query.context(input:)                  U YFYYYS YS FFYY YY YY UUU
Query.contextDocument                  U YFYYYS FF FFFF YY FY UUU
Query.contextDocument(input:)          U YFYYYS FF FFFF YY FY UUU
Query.mergePreview                     U FFFFFF FF FFFF YY FY UUU
Query.mergePreview(one:)               U FFFFFF FF FFFF YY FY UUU
Query.mergePreview(other:)             U FFFFFF FF FFFF YY FY UUU
Query.identityConflicts                U FFFFFF FF FFFF YY FY UUU
Query.identityConflicts(first:)        U FFFFFF FF FFFF YY FY UUU
Query.viewer                           U YYYYYY YY YYYY YY YY UUU
Query.channels                         U FFFFFF FF FFFF YY FY UUU
Query.capabilities                     U YFYYYY YY YYYY RR YR UUU
Query.capabilities(input:)             U YFYYYY YY YYYY RR YR UUU
Query.performance                      U YFYYYN YN FFYY YY YY UUU
Query.performance(id:)                 U YFYYYN YN FFYY YY YY UUU
Query.parity                           U FFFFFF FF YYYY YY YY UUU
Query.parity(since:)                   U FFFFFF FF YYYY YY YY UUU
Query.parity(within:)                  U FFFFFF FF YYYY YY YY UUU

Mutation.recordActions                 U YYFYYS FF FFFF FF FF UUU
Mutation.recordActions(input:)         U YYFYYS FF FFFF FF FF UUU
Mutation.recordAction                  U YYFYYS YS FFFF FF FF UUU
Mutation.recordAction(input:)          U YYFYYS YS FFFF FF FF UUU
Mutation.startJourney                  U YFFYYS YS FFFF FF FF UUU
Mutation.startJourney(input:)          U YFFYYS YS FFFF FF FF UUU
Mutation.askQuestion                   U YFFYYN YN FFFF FF FF UUU
Mutation.askQuestion(input:)           U YFFYYN YN FFFF FF FF UUU
Mutation.answerQuestion                U YFFYYN YN FFFF FF FF UUU
Mutation.answerQuestion(input:)        U YFFYYN YN FFFF FF FF UUU
Mutation.advanceJourney                U YFFYYN YN FFFF FF FF UUU
Mutation.advanceJourney(input:)        U YFFYYN YN FFFF FF FF UUU
Mutation.setJourneyStatus              U YFFYYN YN FFFF FF FF UUU
Mutation.setJourneyStatus(input:)      U YFFYYN YN FFFF FF FF UUU
Mutation.performCapability             U YFFYYS YS FFFF FF FF UUU
Mutation.performCapability(input:)     U YFFYYS YS FFFF FF FF UUU
Mutation.reportProgress                U FFFFFF FF FFFF YY FY UUU
Mutation.reportProgress(input:)        U FFFFFF FF FFFF YY FY UUU
Mutation.completePerformance           U FFFFFF FF FFFF YY FY UUU
Mutation.completePerformance(input:)   U FFFFFF FF FFFF YY FY UUU
Mutation.registerChannel               U FFFFFF FF FFFF YY FY UUU
Mutation.registerChannel(input:)       U FFFFFF FF FFFF YY FY UUU
Mutation.mergeCustomers                U FFFFFF FF FFFF YY FY UUU
Mutation.mergeCustomers(input:)        U FFFFFF FF FFFF YY FY UUU
Mutation.unlink                        U FFFFFF FF FFFF YY FY UUU
Mutation.unlink(input:)                U FFFFFF FF FFFF YY FY UUU
Mutation.resolveConflict               U FFFFFF FF FFFF YY FY UUU
Mutation.resolveConflict(input:)       U FFFFFF FF FFFF YY FY UUU

Subscription.customerActivity          U YFYYYN YN FFYY YY YY UUU
Subscription.customerActivity(by:)     U YFYYYN YN FFYY YY YY UUU
Subscription.performance               U YFYYYN YN FFYY YY YY UUU
Subscription.performance(id:)          U YFYYYN YN FFYY YY YY UUU

Viewer.role                            U YYYYYY YY YYYY YY YY UUU
Viewer.name                            U ------ -- YYYY -Y YY UUU
Viewer.channel                         U YYYYYY YY YYYY -- Y- UUU
Viewer.scopes                          U YYYYYY YY YYYY YY YY UUU
Viewer.highestAssurance                U YYYYYY YY YYYY YY YY UUU
Viewer.serverTime                      U YYYYYY YY YYYY YY YY UUU
Viewer.customer                        U -F--YS YS ---- -- -- UUU

Channel.name                           U FFFFFF FF FFFF YY FY UUU
Channel.kind                           U FFFFFF FF FFFF YY FY UUU
Channel.highestAssurance               U FFFFFF FF FFFF YY FY UUU
Channel.createdAt                      U FFFFFF FF FFFF YY FY UUU

Node.id                                U YFYYYN YN FFYY YY YY UUU

Customer.id                            U YFYYYN YN FFYY YY YY UUU
Customer.identifiers                   U YFYYYN YN FFYY YY YY UUU
Customer.isKnown                       U YFYYYN YN FFYY YY YY UUU
Customer.since                         U YFYYYN YN FFYY YY YY UUU
Customer.links                         U FFFFFF FF FFYY YY YY UUU
Customer.traits                        U YFYYYN FF FFYY YY YY UUU
Customer.journeys                      U YFYYYN YN FFYY YY YY UUU
Customer.threads                       U YFYYYN YN FFYY YY YY UUU
Customer.actions                       U YFYYYN YN FFYY YY YY UUU
Customer.actions(filter:)              U YFYYYN YN FFYY YY YY UUU
Customer.actions(order:)               U YFYYYN YN FFYY YY YY UUU
Customer.actions(first:)               U YFYYYN YN FFYY YY YY UUU
Customer.actions(after:)               U YFYYYN YN FFYY YY YY UUU
Customer.actions(last:)                U YFYYYN YN FFYY YY YY UUU
Customer.actions(before:)              U YFYYYN YN FFYY YY YY UUU

Identifier.kind                        U YFYYYN YN FFYY YY YY UUU
Identifier.value                       U YFYYYN YN FFYY YY YY UUU

CustomerBy.id                          U YFYYYN YN FFYY YY YY UUU
CustomerBy.identifier                  U YFYYYN YN FFYY YY YY UUU

IdentifierInput.kind                   U YFYYYN YN FFYY YY YY UUU
IdentifierInput.value                  U YFYYYN YN FFYY YY YY UUU
IdentifierInput.assurance              U YFYYYN YN FFYY YY YY UUU

ActionFilter.channel                   U YFYYYN YN FFYY YY YY UUU
ActionFilter.type                      U YFYYYN YN FFYY YY YY UUU
ActionFilter.subject                   U YFYYYN YN FFYY YY YY UUU
ActionFilter.since                     U YFYYYN YN FFYY YY YY UUU
ActionFilter.until                     U YFYYYN YN FFYY YY YY UUU

SubjectInput.kind                      U YFYYYN YN FFYY YY YY UUU
SubjectInput.id                        U YFYYYN YN FFYY YY YY UUU

ActionConnection.edges                 U YFYYYN YN FFYY YY YY UUU
ActionConnection.nodes                 U YFYYYN YN FFYY YY YY UUU
ActionConnection.pageInfo              U YFYYYN YN FFYY YY YY UUU

ActionEdge.node                        U YFYYYN YN FFYY YY YY UUU
ActionEdge.cursor                      U YFYYYN YN FFYY YY YY UUU

PageInfo.hasNextPage                   U YFYYYN YN FFYY YY YY UUU
PageInfo.hasPreviousPage               U YFYYYN YN FFYY YY YY UUU
PageInfo.startCursor                   U YFYYYN YN FFYY YY YY UUU
PageInfo.endCursor                     U YFYYYN YN FFYY YY YY UUU

Action.id                              U YFYYYN YN FFYY YY YY UUU
Action.type                            U YFYYYN YN FFYY YY YY UUU
Action.at                              U YFYYYN YN FFYY YY YY UUU
Action.sequence                        U YFYYYN YN FFYY YY YY UUU
Action.channel                         U YFYYYN YN FFYY YY YY UUU
Action.actor                           U YFYYYN YN FFYY YY YY UUU
Action.agent                           U YFYYYN FF FFYY YY YY UUU
Action.contact                         U YFYYYN YN FFYY YY YY UUU
Action.journey                         U YFYYYN YN FFYY YY YY UUU
Action.subject                         U YFYYYN YN FFYY YY YY UUU
Action.properties                      U YFYYYN YN FFYY YY YY UUU
Action.traits                          U YFYYYN FF FFYY YY YY UUU
Action.identifiers                     U YFYYYN YN FFYY YY YY UUU
Action.receivedAt                      U YFYYYN YN FFYY YY YY UUU
Action.claimedAt                       U YFYYYN YN FFYY YY YY UUU

AssertedIdentifier.kind                U YFYYYN YN FFYY YY YY UUU
AssertedIdentifier.value               U YFYYYN YN FFYY YY YY UUU
AssertedIdentifier.assurance           U YFYYYN YN FFYY YY YY UUU

Subject.kind                           U YFYYYN YN FFYY YY YY UUU
Subject.id                             U YFYYYN YN FFYY YY YY UUU

Context.customer                       U YFYYYS YS FFYY YY YY UUU
Context.assurance                      U YFYYYS YS FFYY YY YY UUU
Context.claims                         U YFYYYS YS FFYY YY YY UUU
Context.actions                        U YFYYYS YS FFYY YY YY UUU
Context.contacts                       U YFYYYS YS FFYY YY YY UUU
Context.journeys                       U YFYYYS YS FFYY YY YY UUU
Context.at                             U YFYYYS YS FFYY YY YY UUU
Context.token                          U YFYYYS YS FFYY YY YY UUU
Context.brief                          U YFYYYS FF FFYY YY YY UUU
Context.traits                         U YFYYYS FF FFYY YY YY UUU
Context.brief(form:)                   U YFYYYS FF FFYY YY YY UUU

ContextInput.identifiers               U YFYYYS YS FFYY YY YY UUU
ContextInput.contact                   U YFYYYS YS FFYY YY YY UUU
ContextInput.after                     U YFYYYS YS FFYY YY YY UUU
ContextInput.recent                    U YFYYYS YS FFYY YY YY UUU
ContextInput.brief                     U YFYYYS YS FFYY YY YY UUU

Contact.id                             U YFYYYS YS FFYY YY YY UUU
Contact.channel                        U YFYYYS YS FFYY YY YY UUU
Contact.key                            U YFYYYS YS FFYY YY YY UUU
Contact.firstAt                        U YFYYYS YS FFYY YY YY UUU
Contact.lastAt                         U YFYYYS YS FFYY YY YY UUU
Contact.outcome                        U YFYYYS YS FFYY YY YY UUU

Journey.id                             U YFYYYN YN FFYY YY YY UUU
Journey.type                           U YFYYYN YN FFYY YY YY UUU
Journey.label                          U YFYYYN YN FFYY YY YY UUU
Journey.category                       U YFYYYN YN FFYY YY YY UUU
Journey.version                        U YFYYYN YN FFYY YY YY UUU
Journey.key                            U YFYYYN YN FFYY YY YY UUU
Journey.status                         U YFYYYN YN FFYY YY YY UUU
Journey.outcome                        U YFYYYN YN FFYY YY YY UUU
Journey.step                           U YFYYYN YN FFYY YY YY UUU
Journey.steps                          U YFYYYN YN FFYY YY YY UUU
Journey.startedAt                      U YFYYYN YN FFYY YY YY UUU
Journey.startedIn                      U YFYYYN YN FFYY YY YY UUU
Journey.activeAt                       U YFYYYN YN FFYY YY YY UUU
Journey.changedAt                      U YFYYYN YN FFYY YY YY UUU
Journey.changedIn                      U YFYYYN YN FFYY YY YY UUU
Journey.reopened                       U YFYYYN YN FFYY YY YY UUU
Journey.stalledAt                      U YFYYYN YN FFYY YY YY UUU
Journey.duplicateOf                    U YFYYYN YN FFYY YY YY UUU
Journey.questions                      U YFYYYN YN FFYY YY YY UUU
Journey.answers                        U YFYYYN YN FFYY YY YY UUU
Journey.asks                           U YFYYYN YN FFYY YY YY UUU

Answer.question                        U YFYYYN YN FFYY YY YY UUU
Answer.value                           U YFYYYN YN FFYY YY YY UUU
Answer.at                              U YFYYYN YN FFYY YY YY UUU
Answer.channel                         U YFYYYN YN FFYY YY YY UUU
Answer.contact                         U YFYYYN YN FFYY YY YY UUU
Answer.assurance                       U YFYYYN YN FFYY YY YY UUU
Answer.actionId                        U YFYYYN YN FFYY YY YY UUU

Question.name                          U YFYYYN YN FFYY YY YY UUU
Question.label                         U YFYYYN YN FFYY YY YY UUU
Question.form                          U YFYYYN YN FFYY YY YY UUU
Question.pattern                       U YFYYYN YN FFYY YY YY UUU
Question.choices                       U YFYYYN YN FFYY YY YY UUU

Thread.type                            U YFYYYN YN FFYY YY YY UUU
Thread.label                           U YFYYYN YN FFYY YY YY UUU
Thread.category                        U YFYYYN YN FFYY YY YY UUU
Thread.subject                         U YFYYYN YN FFYY YY YY UUU
Thread.status                          U YFYYYN YN FFYY YY YY UUU
Thread.startedAt                       U YFYYYN YN FFYY YY YY UUU
Thread.startedIn                       U YFYYYN YN FFYY YY YY UUU
Thread.activeAt                        U YFYYYN YN FFYY YY YY UUU
Thread.changedAt                       U YFYYYN YN FFYY YY YY UUU
Thread.changedIn                       U YFYYYN YN FFYY YY YY UUU
Thread.channels                        U YFYYYN YN FFYY YY YY UUU
Thread.reopened                        U YFYYYN YN FFYY YY YY UUU
Thread.counts                          U YFYYYN YN FFYY YY YY UUU

Ask.question                           U YFYYYN YN FFYY YY YY UUU
Ask.at                                 U YFYYYN YN FFYY YY YY UUU
Ask.channel                            U YFYYYN YN FFYY YY YY UUU
Ask.contact                            U YFYYYN YN FFYY YY YY UUU
Ask.isKnown                            U YFYYYN YN FFYY YY YY UUU
Ask.again                              U YFYYYN YN FFYY YY YY UUU

RecordActionInput.id                   U YYFYYS YS FFFF FF FF UUU
RecordActionInput.type                 U YYFYYS YS FFFF FF FF UUU
RecordActionInput.at                   U YYFYYS YS FFFF FF FF UUU
RecordActionInput.sequence             U YYFYYS YS FFFF FF FF UUU
RecordActionInput.identifiers          U YYFYYS YS FFFF FF FF UUU
RecordActionInput.contact              U YYFYYS YS FFFF FF FF UUU
RecordActionInput.journey              U YYFYYS YS FFFF FF FF UUU
RecordActionInput.actor                U YYFYYS RR FFFF FF FF UUU
RecordActionInput.agent                U YYFYYS RR FFFF FF FF UUU
RecordActionInput.subject              U YYFYYS YS FFFF FF FF UUU
RecordActionInput.properties           U YYFYYS YS FFFF FF FF UUU
RecordActionInput.traits               U YYFYYS RR FFFF FF FF UUU

RecordActionPayload.verdict            U YYFYYS YS FFFF FF FF UUU
RecordActionPayload.warnings           U YYFYYS YS FFFF FF FF UUU
RecordActionPayload.token              U YYFYYS YS FFFF FF FF UUU
RecordActionPayload.context            U YFFYYS YS FFFF FF FF UUU
RecordActionPayload.context(input:)    U YFFYYS YS FFFF FF FF UUU

Verdict.index                          U YYFYYS YS FFFF FF FF UUU
Verdict.actionId                       U YYFYYS YS FFFF FF FF UUU
Verdict.verdict                        U YYFYYS YS FFFF FF FF UUU
Verdict.code                           U --F--- -- FFFF FF FF UUU
Verdict.message                        U --F--- -- FFFF FF FF UUU

Warning.index                          U YYFYYS YS FFFF FF FF UUU
Warning.code                           U YYFYYS YS FFFF FF FF UUU
Warning.message                        U YYFYYS YS FFFF FF FF UUU

RecordActionsInput.batch               U YYFYYS FF FFFF FF FF UUU

RecordActionsPayload.stored            U YYFYYS FF FFFF FF FF UUU
RecordActionsPayload.duplicate         U YYFYYS FF FFFF FF FF UUU
RecordActionsPayload.refused           U YYFYYS FF FFFF FF FF UUU
RecordActionsPayload.retry             U YYFYYS FF FFFF FF FF UUU
RecordActionsPayload.exceptions        U --F--- FF FFFF FF FF UUU
RecordActionsPayload.warnings          U YYFYYS FF FFFF FF FF UUU
RecordActionsPayload.verdicts          U YYFYYS FF FFFF FF FF UUU
RecordActionsPayload.token             U YYFYYS FF FFFF FF FF UUU
RecordActionsPayload.contextDocument   U YFFYYS FF FFFF FF FF UUU
RecordActionsPayload.contextDocument(input:)  U YFFYYS FF FFFF FF FF UUU

StartJourneyInput.operationId          U YFFYYS YS FFFF FF FF UUU
StartJourneyInput.type                 U YFFYYS YS FFFF FF FF UUU
StartJourneyInput.key                  U YFFYYS YS FFFF FF FF UUU
StartJourneyInput.identifiers          U YFFYYS YS FFFF FF FF UUU
StartJourneyInput.contact              U YFFYYS YS FFFF FF FF UUU
StartJourneyInput.agent                U YFFYYS RR FFFF FF FF UUU

StartJourneyPayload.journey            U YFFYYS YS FFFF FF FF UUU
StartJourneyPayload.answers            U YFFYYS YS FFFF FF FF UUU
StartJourneyPayload.resumed            U YFFYYS YS FFFF FF FF UUU
StartJourneyPayload.token              U YFFYYS YS FFFF FF FF UUU

AskQuestionInput.operationId           U YFFYYN YN FFFF FF FF UUU
AskQuestionInput.journey               U YFFYYN YN FFFF FF FF UUU
AskQuestionInput.question              U YFFYYN YN FFFF FF FF UUU
AskQuestionInput.identifiers           U YFFYYN YN FFFF FF FF UUU
AskQuestionInput.contact               U YFFYYN YN FFFF FF FF UUU
AskQuestionInput.agent                 U YFFYYN RR FFFF FF FF UUU

AnswerQuestionInput.operationId        U YFFYYN YN FFFF FF FF UUU
AnswerQuestionInput.journey            U YFFYYN YN FFFF FF FF UUU
AnswerQuestionInput.question           U YFFYYN YN FFFF FF FF UUU
AnswerQuestionInput.value              U YFFYYN YN FFFF FF FF UUU
AnswerQuestionInput.identifiers        U YFFYYN YN FFFF FF FF UUU
AnswerQuestionInput.contact            U YFFYYN YN FFFF FF FF UUU
AnswerQuestionInput.agent              U YFFYYN RR FFFF FF FF UUU

AdvanceJourneyInput.operationId        U YFFYYN YN FFFF FF FF UUU
AdvanceJourneyInput.journey            U YFFYYN YN FFFF FF FF UUU
AdvanceJourneyInput.step               U YFFYYN YN FFFF FF FF UUU
AdvanceJourneyInput.cameFrom           U YFFYYN YN FFFF FF FF UUU
AdvanceJourneyInput.identifiers        U YFFYYN YN FFFF FF FF UUU
AdvanceJourneyInput.contact            U YFFYYN YN FFFF FF FF UUU
AdvanceJourneyInput.agent              U YFFYYN RR FFFF FF FF UUU

SetJourneyStatusInput.operationId      U YFFYYN YN FFFF FF FF UUU
SetJourneyStatusInput.journey          U YFFYYN YN FFFF FF FF UUU
SetJourneyStatusInput.status           U YFFYYN YN FFFF FF FF UUU
SetJourneyStatusInput.outcome          U YFFYYN YN FFFF FF FF UUU
SetJourneyStatusInput.identifiers      U YFFYYN YN FFFF FF FF UUU
SetJourneyStatusInput.contact          U YFFYYN YN FFFF FF FF UUU
SetJourneyStatusInput.agent            U YFFYYN RR FFFF FF FF UUU

AskQuestionPayload.question            U YFFYYN YN FFFF FF FF UUU
AskQuestionPayload.answer              U YFFYYN YN FFFF FF FF UUU
AskQuestionPayload.use                 U YFFYYN YN FFFF FF FF UUU
AskQuestionPayload.again               U -FF--N -N FFFF FF FF UUU
AskQuestionPayload.token               U YFFYYN YN FFFF FF FF UUU

AnswerQuestionPayload.journey          U YFFYYN YN FFFF FF FF UUU
AnswerQuestionPayload.token            U YFFYYN YN FFFF FF FF UUU

AdvanceJourneyPayload.journey          U YFFYYN YN FFFF FF FF UUU
AdvanceJourneyPayload.isDone           U YFFYYN YN FFFF FF FF UUU
AdvanceJourneyPayload.token            U YFFYYN YN FFFF FF FF UUU

SetJourneyStatusPayload.journey        U YFFYYN YN FFFF FF FF UUU
SetJourneyStatusPayload.isDone         U YFFYYN YN FFFF FF FF UUU
SetJourneyStatusPayload.token          U YFFYYN YN FFFF FF FF UUU

RegisterChannelInput.name              U FFFFFF FF FFFF YY FY UUU
RegisterChannelInput.kind              U FFFFFF FF FFFF YY FY UUU
RegisterChannelInput.highestAssurance  U FFFFFF FF FFFF YY FY UUU

RegisterChannelPayload.channel         U FFFFFF FF FFFF YY FY UUU
RegisterChannelPayload.key             U FFFFFF FF FFFF YY FY UUU

Trait.name                             U YFYYYN FF FFYY YY YY UUU
Trait.value                            U YFYYYN FF FFYY YY YY UUU
Trait.at                               U YFYYYN FF FFYY YY YY UUU
Trait.assurance                        U YFYYYN FF FFYY YY YY UUU
Trait.channel                          U YFYYYN FF FFYY YY YY UUU
Trait.actionId                         U YFYYYN FF FFYY YY YY UUU

Link.id                                U FFFFFF FF FFYY YY YY UUU
Link.reason                            U FFFFFF FF FFYY YY YY UUU
Link.status                            U FFFFFF FF FFYY YY YY UUU
Link.assurance                         U FFFFFF FF FFYY YY YY UUU
Link.at                                U FFFFFF FF FFYY YY YY UUU
Link.actionId                          U FFFFFF FF FFYY YY YY UUU
Link.identifiers                       U FFFFFF FF FFYY YY YY UUU
Link.customers                         U FFFFFF FF FFYY YY YY UUU
Link.refusal                           U FFFFFF FF FF-- -- -- UUU
Link.by                                U FFFFFF FF FF-- -- -- UUU
Link.why                               U FFFFFF FF FF-- -- -- UUU
Link.retiredAt                         U FFFFFF FF FF-- -- -- UUU
Link.retiredBy                         U FFFFFF FF FF-- -- -- UUU
Link.retiredWhy                        U FFFFFF FF FF-- -- -- UUU

MergePreview.id                        U FFFFFF FF FFFF YY FY UUU
MergePreview.identifiers               U FFFFFF FF FFFF YY FY UUU
MergePreview.since                     U FFFFFF FF FFFF YY FY UUU
MergePreview.traits                    U FFFFFF FF FFFF YY FY UUU
MergePreview.refusal                   U FFFFFF FF FFFF -- F- UUU

MergedTrait.name                       U FFFFFF FF FFFF YY FY UUU
MergedTrait.one                        U FFFFFF FF FFFF YY FY UUU
MergedTrait.other                      U FFFFFF FF FFFF -- F- UUU
MergedTrait.unified                    U FFFFFF FF FFFF YY FY UUU

MergeCustomersInput.operationId        U FFFFFF FF FFFF YY FY UUU
MergeCustomersInput.one                U FFFFFF FF FFFF YY FY UUU
MergeCustomersInput.other              U FFFFFF FF FFFF YY FY UUU
MergeCustomersInput.why                U FFFFFF FF FFFF YY FY UUU

UnlinkInput.operationId                U FFFFFF FF FFFF YY FY UUU
UnlinkInput.link                       U FFFFFF FF FFFF YY FY UUU
UnlinkInput.why                        U FFFFFF FF FFFF YY FY UUU

ResolveConflictInput.operationId       U FFFFFF FF FFFF YY FY UUU
ResolveConflictInput.link              U FFFFFF FF FFFF YY FY UUU
ResolveConflictInput.decision          U FFFFFF FF FFFF YY FY UUU
ResolveConflictInput.why               U FFFFFF FF FFFF YY FY UUU

LinkPayload.link                       U FFFFFF FF FFFF YY FY UUU

Capability.name                        U YFYYYY YY YYYY RR YR UUU
Capability.label                       U YFYYYY YY YYYY RR YR UUU
Capability.description                 U YFYYYY YY YYYY RR YR UUU
Capability.input                       U YFYYYY YY YYYY RR YR UUU
Capability.output                      U YFYYYY YY YYYY RR YR UUU
Capability.assurance                   U YFYYYY YY YYYY RR YR UUU
Capability.reversible                  U YFYYYY YY YYYY RR YR UUU
Capability.reversedBy                  U YFYYYY YY YYYY RR YR UUU
Capability.timeout                     U YFYYYY YY YYYY RR YR UUU
Capability.isOffered                   U YFYYYY YY YYYY RR YR UUU
Capability.why                         U YFYYYY YY YYYY RR YR UUU
Capability.reason                      U YFYYYY YY YYYY RR YR UUU

CapabilitiesInput.identifiers          U YFYYYY YY YYYY RR YR UUU
CapabilitiesInput.contact              U YFYYYY YY YYYY RR YR UUU
CapabilitiesInput.channel              U FFYYYY YY FFFF YY FY UUU

Performance.id                         U YFYYYN YN FFYY YY YY UUU
Performance.capability                 U YFYYYN YN FFYY YY YY UUU
Performance.label                      U YFYYYN YN FFYY YY YY UUU
Performance.key                        U YFYYYN YN FFYY YY YY UUU
Performance.state                      U YFYYYN YN FFYY YY YY UUU
Performance.failure                    U YFYYYN YN FFYY YY YY UUU
Performance.progress                   U YFYYYN YN FFYY YY YY UUU
Performance.channel                    U YFYYYN YN FFYY YY YY UUU
Performance.attempt                    U YFYYYN YN FFYY YY YY UUU
Performance.begunAt                    U YFYYYN YN FFYY YY YY UUU
Performance.endedAt                    U YFYYYN YN FFYY YY YY UUU
Performance.journey                    U YFYYYN YN FFYY YY YY UUU
Performance.output                     U -F--YN YN FFYY YY YY UUU

PerformanceFailure.code                U YFYYYN YN FFYY YY YY UUU
PerformanceFailure.message             U YFYYYN YN FFYY YY YY UUU

PerformanceProgress.done               U YFYYYN YN FFYY YY YY UUU
PerformanceProgress.message            U YFYYYN YN FFYY YY YY UUU
PerformanceProgress.at                 U YFYYYN YN FFYY YY YY UUU

PerformCapabilityInput.capability      U YFFYYS YS FFFF FF FF UUU
PerformCapabilityInput.input           U YFFYYS YS FFFF FF FF UUU
PerformCapabilityInput.key             U YFFYYS YS FFFF FF FF UUU
PerformCapabilityInput.identifiers     U YFFYYS YS FFFF FF FF UUU
PerformCapabilityInput.contact         U YFFYYS YS FFFF FF FF UUU
PerformCapabilityInput.within          U YFFYYS YS FFFF FF FF UUU
PerformCapabilityInput.agent           U YFFYYS RR FFFF FF FF UUU
PerformCapabilityInput.journey         U YFFYYN YN FFFF FF FF UUU

PerformCapabilityPayload.performance   U YFFYYS YS FFFF FF FF UUU
PerformCapabilityPayload.repeated      U YFFYYS YS FFFF FF FF UUU
PerformCapabilityPayload.token         U YFFYYS YS FFFF FF FF UUU

ReportProgressInput.performance        U FFFFFF FF FFFF YY FY UUU
ReportProgressInput.done               U FFFFFF FF FFFF YY FY UUU
ReportProgressInput.message            U FFFFFF FF FFFF YY FY UUU
ReportProgressPayload.performance      U FFFFFF FF FFFF YY FY UUU

CompletePerformanceInput.performance   U FFFFFF FF FFFF YY FY UUU
CompletePerformanceInput.output        U FFFFFF FF FFFF YY FY UUU
CompletePerformanceInput.failure       U FFFFFF FF FFFF YY FY UUU
CompletePerformancePayload.performance U FFFFFF FF FFFF YY FY UUU

PerformanceFailureInput.code           U FFFFFF FF FFFF YY FY UUU
PerformanceFailureInput.message        U FFFFFF FF FFFF YY FY UUU

ParityReport.capabilities              U FFFFFF FF YYYY YY YY UUU
ParityReport.gaps                      U FFFFFF FF YYYY YY YY UUU
ParityReport.since                     U FFFFFF FF YYYY YY YY UUU
ParityReport.within                    U FFFFFF FF YYYY YY YY UUU
ParityReport.isComplete                U FFFFFF FF YYYY YY YY UUU

ParityRow.capability                   U FFFFFF FF YYYY YY YY UUU
ParityRow.label                        U FFFFFF FF YYYY YY YY UUU
ParityRow.cells                        U FFFFFF FF YYYY YY YY UUU

ParityCell.channel                     U FFFFFF FF YYYY YY YY UUU
ParityCell.parity                      U FFFFFF FF YYYY YY YY UUU
ParityCell.reason                      U FFFFFF FF YYYY YY YY UUU

GapMet.capability                      U FFFFFF FF YYYY YY YY UUU
GapMet.channel                         U FFFFFF FF YYYY YY YY UUU
GapMet.why                             U FFFFFF FF YYYY YY YY UUU
GapMet.times                           U FFFFFF FF YYYY YY YY UUU
GapMet.customers                       U FFFFFF FF YYYY YY YY UUU
GapMet.changed                         U FFFFFF FF YYYY YY YY UUU
GapMet.changes                         U FFFFFF FF YYYY YY YY UUU

ChannelChange.channel                  U FFFFFF FF YYYY YY YY UUU
ChannelChange.times                    U FFFFFF FF YYYY YY YY UUU
Query.article                          U YFYYYY YY YYYY YY YY UUU
Query.article(by:)                     U YFYYYY YY YYYY YY YY UUU
Query.article(for:)                    U YFYYYY YY FFYY YY YY UUU
Query.articles                         U YFYYYY YY YYYY YY YY UUU
Query.articles(first:)                 U YFYYYY YY YYYY YY YY UUU
Query.articles(after:)                 U YFYYYY YY YYYY YY YY UUU
Query.articles(last:)                  U YFYYYY YY YYYY YY YY UUU
Query.articles(before:)                U YFYYYY YY YYYY YY YY UUU
Query.articles(for:)                   U YFYYYY YY FFYY YY YY UUU
Query.articles(filter:)                U YFYYYY YY YYYY YY YY UUU
Query.articleDocument                  U YFYYYY FF FFFF YY FY UUU
Query.articleDocument(input:)          U YFYYYY FF FFFF YY FY UUU
Query.search                           U YFYYYY YY FFYY YY YY UUU
Query.search(input:)                   U YFYYYY YY FFYY YY YY UUU
Query.suggest                          U YFYYYY YY FFYY YY YY UUU
Query.suggest(input:)                  U YFYYYY YY FFYY YY YY UUU
Query.searchDocument                   U YFYYYY FF FFFF YY FY UUU
Query.searchDocument(input:)           U YFYYYY FF FFFF YY FY UUU
SearchInput.identifiers                U YFYYYY YY FFYY YY YY UUU
SearchInput.contact                    U YFYYYY YY FFYY YY YY UUU
SearchInput.locale                     U YFYYYY YY FFYY YY YY UUU
SearchInput.asEmployee                 U YFYYYY YY FFYY YY YY UUU
SearchInput.query                      U YFYYYY YY FFYY YY YY UUU
SearchInput.topics                     U YFYYYY YY FFYY YY YY UUU
SearchInput.locales                    U YFYYYY YY FFYY YY YY UUU
SearchInput.first                      U YFYYYY YY FFYY YY YY UUU
SearchInput.offset                     U YFYYYY YY FFYY YY YY UUU
SuggestInput.identifiers               U YFYYYY YY FFYY YY YY UUU
SuggestInput.contact                   U YFYYYY YY FFYY YY YY UUU
SuggestInput.locale                    U YFYYYY YY FFYY YY YY UUU
SuggestInput.asEmployee                U YFYYYY YY FFYY YY YY UUU
SuggestInput.prefix                    U YFYYYY YY FFYY YY YY UUU
SuggestInput.first                     U YFYYYY YY FFYY YY YY UUU
SearchResults.hits                     U YFYYYY YY FFYY YY YY UUU
SearchResults.totalCount               U YFYYYY YY FFYY YY YY UUU
SearchResults.meant                    U YFYYYY YY FFYY YY YY UUU
SearchResults.topics                   U YFYYYY YY FFYY YY YY UUU
SearchResults.locales                  U YFYYYY YY FFYY YY YY UUU
SearchHit.article                      U YFYYYY YY FFYY YY YY UUU
SearchHit.fragment                     U YFYYYY YY FFYY YY YY UUU
SearchHit.snippetHtml                  U YFYYYY YY FFYY YY YY UUU
SearchHit.score                        U YFYYYY YY FFYY YY YY UUU
SearchCount.name                       U YFYYYY YY FFYY YY YY UUU
SearchCount.count                      U YFYYYY YY FFYY YY YY UUU
Query.articleRecord                    U FFFFFF FF FFFF YY FY UUU
Query.articleRecord(slug:)             U FFFFFF FF FFFF YY FY UUU
Query.affectedBy                       U FFFFFF FF FFYY YY YY UUU
Query.affectedBy(article:)             U FFFFFF FF FFYY YY YY UUU
Query.affectedBy(version:)             U FFFFFF FF FFYY YY YY UUU
Query.affectedBy(first:)               U FFFFFF FF FFYY YY YY UUU
Query.affectedBy(after:)               U FFFFFF FF FFYY YY YY UUU
Query.affectedBy(last:)                U FFFFFF FF FFYY YY YY UUU
Query.affectedBy(before:)              U FFFFFF FF FFYY YY YY UUU
Mutation.saveArticle                   U FFFFFF FF FFFF YY FY UUU
Mutation.saveArticle(input:)           U FFFFFF FF FFFF YY FY UUU
SaveArticlePayload.article             U FFFFFF FF FFFF YY FY UUU
SaveArticleInput.slug                  U FFFFFF FF FFFF YY FY UUU
SaveArticleInput.revision              U FFFFFF FF FFFF YY FY UUU
SaveArticleInput.reason                U FFFFFF FF FFFF YY FY UUU
SaveArticleInput.files                 U FFFFFF FF FFFF YY FY UUU
Mutation.publishArticle                U FFFFFF FF FFFF YY FY UUU
Mutation.publishArticle(input:)        U FFFFFF FF FFFF YY FY UUU
PublishArticlePayload.article          U FFFFFF FF FFFF YY FY UUU
PublishArticleInput.slug               U FFFFFF FF FFFF YY FY UUU
PublishArticleInput.revision           U FFFFFF FF FFFF YY FY UUU
PublishArticleInput.reason             U FFFFFF FF FFFF YY FY UUU
PublishArticleInput.files              U FFFFFF FF FFFF YY FY UUU
Mutation.expireArticle                 U FFFFFF FF FFFF YY FY UUU
Mutation.expireArticle(input:)         U FFFFFF FF FFFF YY FY UUU
ExpireArticlePayload.article           U FFFFFF FF FFFF YY FY UUU
ExpireArticleInput.slug                U FFFFFF FF FFFF YY FY UUU
ExpireArticleInput.revision            U FFFFFF FF FFFF YY FY UUU
ExpireArticleInput.reason              U FFFFFF FF FFFF YY FY UUU
ArticleFileInput.name                  U FFFFFF FF FFFF YY FY UUU
ArticleFile.name                       U FFFFFF FF FFFF YY FY UUU
ArticleFileInput.text                  U FFFFFF FF FFFF YY FY UUU
ArticleFile.text                       U FFFFFF FF FFFF YY FY UUU
Article.id                             U YFYYYY YY YYYY YY YY UUU
Article.slug                           U YFYYYY YY YYYY YY YY UUU
Article.version                        U YFYYYY YY YYYY YY YY UUU
Article.title                          U YFYYYY YY YYYY YY YY UUU
Article.locale                         U YFYYYY YY YYYY YY YY UUU
Article.topics                         U YFYYYY YY YYYY YY YY UUU
Article.fragments                      U YFYYYY YY YYYY YY YY UUU
Article.updatedAt                      U YFYYYY YY YYYY YY YY UUU
Article.expiresAt                      U YFYYYY YY YYYY YY YY UUU
ArticleFragment.id                     U YFYYYY YY YYYY YY YY UUU
ArticleFragment.heading                U YFYYYY YY YYYY YY YY UUU
ArticleFragment.locale                 U YFYYYY YY YYYY YY YY UUU
ArticleFragment.html                   U YFYYYY YY YYYY YY YY UUU
ArticleFragment.plain                  U YFYYYY YY YYYY YY YY UUU
ArticleFragment.sms                    U YFYYYY YY YYYY YY YY UUU
ArticleFragment.spoken                 U YFYYYY YY YYYY YY YY UUU
ArticleConnection.edges                U YFYYYY YY YYYY YY YY UUU
ShowingConnection.edges                U FFFFFF FF FFYY YY YY UUU
ArticleConnection.nodes                U YFYYYY YY YYYY YY YY UUU
ShowingConnection.nodes                U FFFFFF FF FFYY YY YY UUU
ArticleConnection.pageInfo             U YFYYYY YY YYYY YY YY UUU
ShowingConnection.pageInfo             U FFFFFF FF FFYY YY YY UUU
ArticleEdge.node                       U YFYYYY YY YYYY YY YY UUU
ShowingEdge.node                       U FFFFFF FF FFYY YY YY UUU
ArticleEdge.cursor                     U YFYYYY YY YYYY YY YY UUU
ShowingEdge.cursor                     U FFFFFF FF FFYY YY YY UUU
ArticleBy.id                           U YFYYYY YY YYYY YY YY UUU
ArticleBy.slug                         U YFYYYY YY YYYY YY YY UUU
ViewpointInput.identifiers             U YFYYYY YY FFYY YY YY UUU
ViewpointInput.contact                 U YFYYYY YY FFYY YY YY UUU
ViewpointInput.locale                  U YFYYYY YY FFYY YY YY UUU
ViewpointInput.asEmployee              U YFYYYY YY FFYY YY YY UUU
ArticleFilter.capability               U YFYYYY YY YYYY YY YY UUU
ArticleFilter.journey                  U YFYYYY YY YYYY YY YY UUU
ArticleFilter.topic                    U YFYYYY YY YYYY YY YY UUU
ArticleFilter.reviewBefore             U FFFFFF FF FFFF YY FY UUU
ArticleInput.identifiers               U YFYYYY FF FFFF YY FY UUU
ArticleInput.contact                   U YFYYYY FF FFFF YY FY UUU
ArticleInput.locale                    U YFYYYY FF FFFF YY FY UUU
ArticleInput.asEmployee                U YFYYYY FF FFFF YY FY UUU
ArticleInput.slug                      U YFYYYY FF FFFF YY FY UUU
ArticleInput.ifNoneMatch               U YFYYYY FF FFFF YY FY UUU
ArticleRecord.id                       U FFFFFF FF FFFF YY FY UUU
ArticleRecord.slug                     U FFFFFF FF FFFF YY FY UUU
ArticleRecord.state                    U FFFFFF FF FFFF YY FY UUU
ArticleRecord.revision                 U FFFFFF FF FFFF YY FY UUU
ArticleRecord.published                U FFFFFF FF FFFF YY FY UUU
ArticleRecord.draft                    U FFFFFF FF FFFF YY FY UUU
ArticleRecord.owner                    U FFFFFF FF FFFF YY FY UUU
ArticleRecord.reviewOn                 U FFFFFF FF FFFF YY FY UUU
ArticleRecord.expiresAt                U FFFFFF FF FFFF YY FY UUU
ArticleRecord.capabilities             U FFFFFF FF FFFF YY FY UUU
ArticleRecord.journeys                 U FFFFFF FF FFFF YY FY UUU
ArticleRecord.versions                 U FFFFFF FF FFFF YY FY UUU
ArticleRecord.versions(below:)         U FFFFFF FF FFFF YY FY UUU
ArticleRecord.diff                     U FFFFFF FF FFFF YY FY UUU
ArticleRecord.diff(before:)            U FFFFFF FF FFFF YY FY UUU
ArticleRecord.diff(after:)             U FFFFFF FF FFFF YY FY UUU
ArticleVersion.number                  U FFFFFF FF FFFF YY FY UUU
ArticleVersion.state                   U FFFFFF FF FFFF YY FY UUU
ArticleVersion.author                  U FFFFFF FF FFFF YY FY UUU
ArticleVersion.reason                  U FFFFFF FF FFFF YY FY UUU
ArticleVersion.at                      U FFFFFF FF FFFF YY FY UUU
ArticleVersion.files                   U FFFFFF FF FFFF YY FY UUU
ArticleDifference.part                 U FFFFFF FF FFFF YY FY UUU
ArticleDifference.locale               U FFFFFF FF FFFF YY FY UUU
ArticleDifference.diff                 U FFFFFF FF FFFF YY FY UUU
Showing.customer                       U FFFFFF FF FFYY YY YY UUU
Showing.channel                        U FFFFFF FF FFYY YY YY UUU
Showing.contact                        U FFFFFF FF FFYY YY YY UUU
Showing.at                             U FFFFFF FF FFYY YY YY UUU
Showing.fragments                      U FFFFFF FF FFYY YY YY UUU
Showing.rendering                      U FFFFFF FF FFYY YY YY UUU
Showing.locale                         U FFFFFF FF FFYY YY YY UUU
Showing.hash                           U FFFFFF FF FFYY YY YY UUU
Showing.actionId                       U FFFFFF FF FFYY YY YY UUU
"""


def rows() -> dict[str, dict[str, str]]:
    """By coordinate, then by asker: the letter. Raises ValueError for a row that has not one letter for each."""
    made: dict[str, dict[str, str]] = {}
    for line in filter(None, TABLE.splitlines()):
        coordinate, *groups = line.split()
        if [len(group) for group in groups] != [len(group) for group in ASKERS] or coordinate in made:
            raise ValueError(f"This row stands twice, or has not one letter for each asker: {line}")
        askers = (asker for group in ASKERS for asker in group)
        made[coordinate] = dict(zip(askers, "".join(groups), strict=True))
    return made
