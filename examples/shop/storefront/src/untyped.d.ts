declare module 'marked';
declare module 'minimist';
