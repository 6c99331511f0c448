import { number } from '../lib/time';

export const applications = {
  title: 'Applications',
  tabs: { label: 'Applications and rules', list: 'Applications', rules: 'Rules' },
  search: 'Search applications and services',
  name: 'Name',
  open: 'Open findings',
  openShort: 'Open',
  coverage: 'Coverage',
  gaps: (n: number) => `${number(n)} ${n === 1 ? 'gap' : 'gaps'}`,
  covered: 'covered',
  expand: (name: string) => `Open ${name}`,
  collapse: (name: string) => `Close ${name}`,
  expandAll: 'Open all',
  collapseAll: 'Close all',
  organisation: 'Organisation',
  businessunit: 'Business unit',
  application: 'Application',
  service: 'Service',
  noOrganisation: 'Without an organisation',
  gone: 'no rule names it any more',
  unassigned: 'Unassigned',
  unassignedHelp: (n: number) => `${n === 1 ? '1 open finding belongs' : `${number(n)} open findings belong`} to no application. Only people with a role on every application see that.`,
  unassignedAdmin: 'Claim them with a rule',
  unassignedOther: 'An administrator can claim them with a rule.',
  showUnassigned: 'Show them',
  empty: 'No application yet',
  emptyHelp: 'Rules say which repositories, images and accounts make an application, and who may see its findings. Until then everything is unassigned.',
  emptyAction: 'Write the first rules',
  emptyOther: 'You see the applications on which you have a role. An administrator can give you one under Settings, Users.',
  narrow: 'No application or service fits',
  narrowClear: 'Clear the search',
  count: (n: string, severity: string, name: string) => `${n} ${severity} in ${name}`,
  total: (n: string, name: string) => `${n} open in ${name}`,
  rules: {
    document: 'Rules document',
    help: 'One document says what belongs to which application and service, what is an environment, and which refs count. A change re-assigns every finding, and is kept in the log.',
    reference: 'Reference of the rules',
    preview: 'Preview',
    save: 'Save',
    revert: 'Undo my changes',
    unchanged: 'Nothing is changed.',
    changed: 'Changed, not saved.',
    previewFirst: 'Preview the change before you save it.',
    saved: (moved: number) => `Saved. ${moved === 1 ? '1 finding changed its' : `${number(moved)} findings changed their`} application.`,
    version: (seq: string) => `In force since entry ${seq} of the log`,
    noneYet: 'No rules are set yet. Begin with an example.',
    begin: 'Begin with an example',
    overtaken: 'Somebody else has set other rules in the meantime.',
    overtakenLoad: 'Load them',
    overtakenDrop: 'Load them and drop my changes',
    leave: 'Your changes to the rules are not saved. Leave all the same?',
    line: (n: number) => `Line ${n}`,
    goto: (n: number) => `Go to line ${n}`,
    moves: (n: number) => `${n === 1 ? '1 finding would change its' : `${number(n)} findings would change their`} application`,
    movesNone: 'No finding would change its application',
    added: 'New applications',
    removed: 'Applications that go',
    removedHelp: 'Roles that were granted on them end with them.',
    before: 'Now',
    after: 'Then',
    difference: 'Change',
    perApplication: 'Findings by application',
    samples: 'Some of the findings that move',
    sampleFinding: 'Finding',
    from: 'From',
    to: 'To',
    globs: {
      title: 'A monorepo, split by folders',
      help: 'An application claims the repository; its services claim folders of it. * matches within a folder, ** across folders. The match with the most literal characters wins.',
      matches: [
        ['git.example.org/shop/*', 'every repository of the group shop, not of its subgroups'],
        ['git.example.org/shop/**', 'subgroups as well'],
        ['services/checkout', 'the folder, with all that is in it'],
        ['services/*/migrations/**', 'the migrations of every service'],
        ['registry.example.org/shop/**', 'images, in image: instead of target:'],
      ] as [string, string][],
    },
    example: `schema: rules/v1
organisations:
  - name: Example
    business_units:
      - name: Retail
        applications:
          - name: shop
            match:
              - target: git.example.org/shop/**
              - image: registry.example.org/shop/**
            services:
              - name: checkout
                match: [{path: services/checkout}]
              - name: storefront
                match: [{path: web}]
`,
  },
};
